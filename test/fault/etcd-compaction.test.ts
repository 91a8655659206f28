import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { PokedReader } from '../lab/poked-reader.ts';
import { session } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

let cluster: EtcdCluster;
let proxy: ChaosProxy;

beforeAll(async () => {
  cluster = await EtcdCluster.start();
  proxy = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''));
});
afterAll(async () => {
  await proxy.close();
  await cluster.close();
});

/**
 * A watcher falls behind (etcd buffers some hundred replies for it), and what it has not been sent yet is compacted away. etcd
 * ends the watch with a compact revision and no reason, on a connection that is otherwise in good health.
 */
test('a watch that compaction overtook is set anew, and nothing is lost', async () => {
  const outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
  await outside.put('config/vips/web', '{"n":0}');
  // Leases and pings must not be what ends the connection: it is frozen for less than they take.
  const source = etcdSource([proxy.address], { leaseTtlMs: 60_000 });
  const reader = new PokedReader(source);
  await connected(source);
  await reader.sees('config/vips/web', '{"n":0}');
  const before = { accepted: proxy.accepted, session: session(source) };

  proxy.stall();
  const filler = 'x'.repeat(2_000);
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < 500) await outside.put(`config/vips/filler${next++ % 20}`, JSON.stringify({ filler }));
  };
  await Promise.all(Array.from({ length: 32 }, writer));
  await outside.put('config/vips/web', '{"n":1}');
  await outside.compact();
  proxy.resume();

  await reader.sees('config/vips/web', '{"n":1}');
  await reader.idle();
  // The watch must still be alive afterwards, over the same connection and with the same lease.
  await outside.put('config/vips/web', '{"n":2}');
  await reader.sees('config/vips/web', '{"n":2}');
  expect(session(source)).toBe(before.session);
  expect(proxy.accepted).toBe(before.accepted);
  await source.close({ keepEphemeral: false });
});
