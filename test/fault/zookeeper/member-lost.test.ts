import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { PokedReader } from '../../lab/poked-reader.ts';
import { Cleanups, ROOT, orThrow } from '../../lab/zookeeper-kit.ts';
import type { WatchedSource } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';
import type { ZookeeperMember } from '../../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
let made = 0;
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start({ members: 3 }));
  const outsider = await ZookeeperOutsider.connect(ensemble.member(0).address);
  await outsider.put(`${ROOT}/config/vips/web`, '{"n":0}');
  outsider.close();
});
afterAll(() => cleanups.run());

async function leader(): Promise<ZookeeperMember> {
  for (const member of ensemble.members) {
    if ((await member.command('srvr')).includes('Mode: leader')) return member;
  }
  throw new Error('no leader');
}

async function edit(watched: WatchedSource, text: string): Promise<void> {
  await eventually('an edit through another member', async () => {
    const outsider = await ZookeeperOutsider.connect(
      ensemble.servers.filter((server) => ensemble.memberAt(server).running).join(','),
    );
    await outsider.put(`${ROOT}/config/vips/web`, text).finally(() => {
      outsider.close();
    });
    return true;
  });
  await eventually('the edit is read', async () => (await watched.text('config/vips/web')) === text);
}

/** A counter: each edit makes a node of its own, and is repeated until an ensemble has taken it. */
async function count(edits: number): Promise<void> {
  const outsider = await ZookeeperOutsider.connect(ensemble.servers.join(','));
  for (let n = 0; n < edits; n++) {
    const path = `${ROOT}/config/services/s${made++}`;
    await eventually(`${path} is taken`, () => outsider.put(path, '{}').then(() => true));
  }
  outsider.close();
}

test('the member at hand is killed: the same session at another one, and nothing missed', async () => {
  const watched = cleanups.source(ensemble.servers, { sessionTimeoutMs: 6_000 });
  const session = await watched.session();
  orThrow(await watched.publish({ 'state/agents/lb1': '1' }));
  const member = ensemble.memberAt(await watched.server());
  await member.kill();
  await eventually('connected elsewhere', async () => (await watched.server()) !== member.address);
  expect(await watched.session()).toBe(session);
  await edit(watched, '{"n":1}');
  expect(orThrow(await watched.source.owner('state/agents/lb1'))?.session).toBe(session);
  member.start();
  await member.ready();
  await watched.source.close({ keepEphemeral: false });
});

test('the leader is killed: the session outlives the election', async () => {
  const watched = cleanups.source(ensemble.servers, { sessionTimeoutMs: 10_000 });
  const session = await watched.session();
  await watched.snapshot();
  const lost = await leader();
  await lost.kill();
  await edit(watched, '{"n":2}');
  expect(await watched.session()).toBe(session);
  lost.start();
  await lost.ready();
  await watched.source.close({ keepEphemeral: false });
});

test('one member is frozen: nobody stays outside for longer than one connect deadline', async () => {
  const head = await leader();
  const [frozen] = ensemble.members.filter((member) => member !== head);
  frozen?.freeze();
  const all = Array.from({ length: 9 }, () => cleanups.source(ensemble.servers, { connectTimeoutMs: 700 }));
  await Promise.all(all.map((each) => each.snapshot()));
  frozen?.thaw();
  await Promise.all(all.map((each) => each.source.close({ keepEphemeral: false })));
});

test('all members are killed and come back: watching again, every edit seen', async () => {
  const watched = cleanups.source(ensemble.servers, { sessionTimeoutMs: 10_000 });
  const reader = new PokedReader(watched.source);
  const { records } = await watched.snapshot();
  const edits = count(40);
  await Promise.all(ensemble.members.map((member) => member.kill()));
  await eventually('the loss is noticed', () => !watched.isConnected);
  expect(await watched.source.snapshot()).toMatchObject({ ok: false, error: { transient: true } });
  for (const member of ensemble.members) member.start();
  await Promise.any(ensemble.members.map((member) => member.ready()));
  await eventually('connected', () => watched.isConnected);
  await edits;
  await count(10);
  // What it has not been poked for it does not read.
  await reader.sees('config/services/s49', '{}');
  await reader.idle();
  // With the folder of the services.
  expect(reader.size).toBe(records.size + 1 + 50);
});
