import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { session, value } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

const LEASE_MS = 2_000;
const RECORDS = 500;
const path = (n: number): string => `state/health/s${n}/lb1`;

let cluster: EtcdCluster;
let proxy: ChaosProxy;
let outside: EtcdGateway;

beforeAll(async () => {
  cluster = await EtcdCluster.start();
  proxy = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''));
  outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
});
afterAll(async () => {
  await proxy.close();
  await cluster.close();
});

test('cut off for longer than the lease lasts: a new lease, everything again by itself, strangers respected', async () => {
  const source = etcdSource([proxy.address], { leaseTtlMs: LEASE_MS });
  const stranger = etcdSource(cluster.endpoints, { leaseTtlMs: LEASE_MS });
  await connected(source);
  await connected(stranger);
  const wanted = new Map(Array.from({ length: RECORDS }, (_, n) => [path(n), Buffer.from(`{"n":${n}}`)] as const));
  await value(source.publish(wanted));
  const lost = session(source);

  proxy.stall();
  await eventually('we know that we are cut off', () => source.state().kind === 'connecting');
  await eventually('etcd let our records go', async () => (await outside.get(path(0))) === null);
  await value(stranger.publish(new Map([[path(7), Buffer.from('{"from":"a stranger"}')]])));
  proxy.resume();

  await eventually('another lease', () => source.state().kind === 'connected' && session(source) !== lost);
  await eventually('all is there again', async () => (await outside.get(path(RECORDS - 1))) !== null);
  const report = await value(source.publish(wanted));
  expect(report).toEqual({ written: 0, deleted: 0, refused: new Map([[path(7), session(stranger)]]) });
  expect(await outside.get(path(7))).toBe('{"from":"a stranger"}');
  expect((await value(source.owner(path(0))))?.session).toBe(session(source));
  // Of the connection that was given up, with its watches, nothing is left.
  await eventually('one connection', () => proxy.open === 1);
  await stranger.close({ keepEphemeral: false });
  await source.close({ keepEphemeral: false });
});
