import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { StoreSettings } from '../../src/sources/open-source.ts';
import { openSource } from '../../src/sources/open-source.ts';
import type { Source } from '../../src/sources/source.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { orThrow } from '../lab/zookeeper-kit.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';

// A fleet runs for years: a connection must leave nothing behind. A thousand of them with `npm run test:long`.
const RECONNECTS = process.env['VIPKEEPER_LONG'] === '1' ? 1_000 : 16;
const WARM_UP = 8;
/** Of heap that a connection may seem to cost: a watch, a channel or a tree of records that stayed would be more. */
const MAX_BYTES_EACH = 50_000;

interface Store {
  readonly target: string;
  settings(server: string): StoreSettings;
  close(): Promise<void>;
}

async function zookeeper(): Promise<Store> {
  const ensemble = await ZookeeperEnsemble.start();
  return {
    target: ensemble.member(0).address,
    settings: (server) => ({ kind: 'zookeeper', servers: [server], root: '/vipkeeper', sessionTimeoutMs: 10_000 }),
    close: () => ensemble.close(),
  };
}

async function etcd(): Promise<Store> {
  const cluster = await EtcdCluster.start();
  return {
    target: cluster.member(0).endpoint.replace('http://', ''),
    settings: (server) => ({ kind: 'etcd', endpoints: [server], root: '/vipkeeper', leaseTtlMs: 10_000 }),
    close: () => cluster.close(),
  };
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe.each([
  ['ZooKeeper', zookeeper],
  ['etcd', etcd],
])('%s', (_name, open) => {
  let store: Store;
  let proxy: ChaosProxy;
  let source: Source;

  beforeAll(async () => {
    store = await open();
    proxy = await ChaosProxy.start(store.target);
    // The largest random numbers make the shortest pauses: connections that are cut at once are never steady.
    source = orThrow(
      await openSource(store.settings(proxy.address), { clock: systemClock, random: () => 0.99, log: silentLog }),
    );
    source.start();
  });
  afterAll(async () => {
    await source.close({ keepEphemeral: false });
    await proxy.close();
    await store.close();
  });

  test(`${RECONNECTS} reconnects leave no descriptor and no memory behind`, { timeout: 900_000 }, async () => {
    const records = new Map(Array.from({ length: 20 }, (_, n) => [`state/health/s${n}/lb1`, Buffer.from('{}')]));
    const isConnected = (): boolean => source.state().kind === 'connected';
    const reconnect = async (): Promise<void> => {
      proxy.cut();
      await eventually('the cut is noticed', () => !isConnected(), { everyMs: 1 });
      await eventually('connected again', isConnected, { everyMs: 1 });
      await eventually('read', async () => (await source.snapshot()).ok, { everyMs: 1 });
      await source.publish(records);
    };
    await eventually('connected', isConnected);
    for (let n = 0; n < WARM_UP; n++) await reconnect();
    collect();
    const before = { fds: descriptors(), heap: process.memoryUsage().heapUsed };
    for (let n = 0; n < RECONNECTS; n++) await reconnect();
    await eventually('no descriptor more', () => descriptors() <= before.fds + 2);
    collect();
    expect((process.memoryUsage().heapUsed - before.heap) / RECONNECTS).toBeLessThan(MAX_BYTES_EACH);
  });
});
