import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import type { EtcdMember } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { PokedReader } from '../lab/poked-reader.ts';
import { session, snapshot, value } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

/** A third of it, plus as long again for an answer: 5 s. */
const LEASE_MS = 7_500;
const path = 'state/health/web/lb1';

let cluster: EtcdCluster;

beforeAll(async () => {
  cluster = await EtcdCluster.start({ members: 3 });
});
afterAll(async () => {
  await cluster.close();
});

function memberOf(source: ReturnType<typeof etcdSource>): EtcdMember {
  const state = source.state();
  if (state.kind !== 'connected') throw new Error('not connected');
  return cluster.memberAt(state.server);
}

/** A frozen process keeps its sockets open: TCP notices nothing, and without a deadline neither does gRPC. */
test('a frozen member is left for another before the lease is over, and the lease goes along', async () => {
  const source = etcdSource(cluster.endpoints, { leaseTtlMs: LEASE_MS });
  const reader = new PokedReader(source);
  await connected(source);
  await value(source.publish(new Map([[path, Buffer.from('{"n":1}')]])));
  const frozen = memberOf(source);
  const lease = session(source);
  const healthy = cluster.members.find((member) => member !== frozen);
  const outside = new EtcdGateway(healthy?.endpoint ?? '', ROOT);
  frozen.freeze();
  try {
    const pending = source.owner(path);
    await eventually('another member serves', () => source.state().kind === 'connected' && memberOf(source) !== frozen);
    // What was asked of the frozen member has its answer, too.
    const unanswered = await pending;
    if (!unanswered.ok) expect(unanswered.error.transient).toBe(true);
    await eventually('the cluster takes writes', () => outside.put('config/vips/web', '{"n":1}').then(() => true));
    await reader.sees('config/vips/web', '{"n":1}');
    const report = await value(source.publish(new Map([[path, Buffer.from('{"n":2}')]])));
    expect(report.written).toBe(1);
    expect(await outside.get(path)).toBe('{"n":2}');
    expect(session(source)).toBe(lease);
  } finally {
    frozen.thaw();
  }
  await eventually('the thawed member is healthy', () => frozen.ready().then(() => true));
  await source.close({ keepEphemeral: false });
});

test('with every member frozen requests fail, and all is well after the thaw', async () => {
  const source = etcdSource(cluster.endpoints, { leaseTtlMs: LEASE_MS });
  await connected(source);
  await snapshot(source);
  for (const member of cluster.members) member.freeze();
  try {
    const asked = await source.owner(path);
    expect(asked).toMatchObject({ ok: false, error: { transient: true } });
    // From now on nothing is even sent.
    expect((await source.snapshot()).ok).toBe(false);
    expect((await source.publish(new Map([[path, Buffer.from('{"n":3}')]]))).ok).toBe(false);
  } finally {
    for (const member of cluster.members) member.thaw();
  }
  await eventually('connected again', () => source.state().kind === 'connected');
  const outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
  await eventually('what was wanted meanwhile is published', async () => (await outside.get(path)) === '{"n":3}');
  await source.close({ keepEphemeral: false });
});
