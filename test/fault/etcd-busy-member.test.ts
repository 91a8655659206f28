import { expect, onTestFinished, test } from 'vitest';
import { REQUEST_TIMEOUT_MS } from '../../src/sources/etcd/limits.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { session, value } from '../system/contract-store.ts';
import { connected, etcdSource } from './etcd-fixture.ts';

/** Its keepalives may be late by a third of it. */
const LEASE_MS = 15_000;
const path = 'state/health/web/lb1';

test('a member that is slow with a batch of records is waited for: asking again would make it slower', async () => {
  const cluster = await EtcdCluster.start();
  onTestFinished(() => cluster.close());
  const proxy = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''));
  onTestFinished(() => proxy.close());
  const source = etcdSource([proxy.address], { leaseTtlMs: LEASE_MS });
  onTestFinished(() => source.close({ keepEphemeral: false }));
  await connected(source);
  const lease = session(source);

  const start = performance.now();
  proxy.stall();
  const publishing = source.publish(new Map([[path, Buffer.from('{"n":1}')]]));
  await eventually('a small request would have failed', () => performance.now() - start > REQUEST_TIMEOUT_MS + 500);
  proxy.resume();
  expect(await value(publishing)).toMatchObject({ written: 1 });
  expect(session(source)).toBe(lease);
});
