import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import type { EtcdMember } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { PokedReader } from '../lab/poked-reader.ts';
import { session, value } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

const LEASE_MS = 15_000;
const RECORD = 'state/health/web/lb1';

let cluster: EtcdCluster;
let made = 0;

beforeAll(async () => {
  cluster = await EtcdCluster.start({ members: 3 });
});
afterAll(async () => {
  await cluster.close();
});

async function leader(): Promise<EtcdMember> {
  const lines = (await cluster.etcdctl('endpoint', 'status', '-w', 'simple')).split('\n');
  const fields = lines.map((line) => line.split(', ')).find((each) => each[4] === 'true');
  return cluster.memberAt(fields?.[0] ?? '');
}

/** A counter: each edit makes a key of its own, at whichever member takes it, and is repeated until one has. */
async function count(edits: number): Promise<void> {
  for (let n = 0; n < edits; n++) {
    const path = `config/services/s${made++}`;
    await eventually(`the edit ${path} is taken`, async () => {
      const up = cluster.members.filter((member) => member.running);
      await Promise.any(up.map((member) => new EtcdGateway(member.endpoint, ROOT).put(path, '{}')));
      return true;
    });
  }
}

test('the leader is killed: the lease outlives the election, and every edit is seen', async () => {
  const source = etcdSource(cluster.endpoints, { leaseTtlMs: LEASE_MS });
  const reader = new PokedReader(source);
  await connected(source);
  await value(source.publish(new Map([[RECORD, Buffer.from('{"n":1}')]])));
  const lease = session(source);
  const lost = await leader();
  const edits = count(40);
  await lost.kill();
  await edits;
  await count(10);
  await reader.sees(`config/services/s${made - 1}`, '{}');
  await reader.idle();
  expect(reader.size).toBe(made);
  expect(session(source)).toBe(lease);
  expect((await value(source.owner(RECORD)))?.session).toBe(lease);
  await lost.start();
  await lost.ready();
  await source.close({ keepEphemeral: false });
});

test('all members are killed and come back: watching again, every edit seen', async () => {
  const source = etcdSource(cluster.endpoints, { leaseTtlMs: LEASE_MS });
  const reader = new PokedReader(source);
  await connected(source);
  await value(source.publish(new Map([[RECORD, Buffer.from('{"n":2}')]])));
  const edits = count(40);
  await Promise.all(cluster.members.map((member) => member.kill()));
  await eventually('the loss is noticed', () => source.state().kind === 'connecting');
  await Promise.all(cluster.members.map((member) => member.start()));
  await Promise.any(cluster.members.map((member) => member.ready()));
  await eventually('connected', () => source.state().kind === 'connected');
  await edits;
  await count(10);
  await reader.sees(`config/services/s${made - 1}`, '{}');
  await reader.idle();
  expect(reader.size).toBe(made);
  await eventually('our record is there', async () => (await value(source.owner(RECORD)))?.session === session(source));
  await source.close({ keepEphemeral: false });
});
