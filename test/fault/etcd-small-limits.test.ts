import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { session, value } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

/** Less than etcd's defaults of 128 operations and 1.5 MB, and than the pings that gRPC would like to send. */
const FLAGS = ['--max-txn-ops', '16', '--max-request-bytes', '40000', '--grpc-keepalive-min-time', '1h'];

let cluster: EtcdCluster;
let outside: EtcdGateway;

beforeAll(async () => {
  cluster = await EtcdCluster.start({ flags: FLAGS });
  outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
});
afterAll(async () => {
  await cluster.close();
});

test('a member that takes few operations and small requests gets more of them', async () => {
  const source = etcdSource(cluster.endpoints);
  await connected(source);
  const path = (n: number): string => `state/health/s${n}/lb1`;
  const records = (text: string): Map<string, Uint8Array> =>
    new Map(Array.from({ length: 150 }, (_, n) => [path(n), Buffer.from(`{"n":${n},"text":"${text}"}`)]));
  expect((await value(source.publish(records('short')))).written).toBe(150);
  expect((await value(source.publish(records('x'.repeat(10_000))))).written).toBe(150);
  expect(await outside.get(path(149))).toContain('xxxx');
  await source.close({ keepEphemeral: false });
});

test.runIf(process.env['VIPKEEPER_LONG'] === '1')(
  'half a minute of silence is no reason to hang up on us',
  async () => {
    const source = etcdSource(cluster.endpoints, { leaseTtlMs: 120_000 });
    await connected(source);
    const [lease, since] = [session(source), source.state()];
    // gRPC's servers forgive two pings too many; we would have sent five.
    await new Promise((resolve) => setTimeout(resolve, 35_000));
    expect(source.state()).toEqual(since);
    expect(session(source)).toBe(lease);
    await source.close({ keepEphemeral: false });
  },
);
