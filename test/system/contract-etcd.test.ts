import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { EtcdStoreClient } from '../../src/sources/etcd/client.ts';
import { EtcdSource } from '../../src/sources/etcd/source.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { describeSourceContract } from './source-contract.ts';

const LEASE_MS = 2_000;

describeSourceContract('etcd', { transactions: true }, async () => {
  const cluster = await EtcdCluster.start();
  let stores = 0;
  return {
    sessionTimeoutMs: LEASE_MS,
    fresh: () => {
      stores += 1;
      const root = `/vipkeeper-${stores}`;
      const settings = { endpoints: cluster.endpoints, root, leaseTtlMs: LEASE_MS };
      const outsider = new EtcdGateway(cluster.member(0).endpoint, root);
      return Promise.resolve({
        outsider,
        putBoth: (first, second, text) => outsider.putAll([first, second], text),
        source: () => new EtcdSource(settings, { clock: systemClock, random: Math.random, log: silentLog }),
        client: () => new EtcdStoreClient(settings),
        endSession: async (session: string) => {
          await cluster.etcdctl('lease', 'revoke', session);
        },
      });
    },
    close: () => cluster.close(),
  };
});
