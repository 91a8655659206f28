import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
});
afterAll(() => cleanups.run());

// A server refuses a client that has seen later transactions than itself. After a wipe or a restored backup that is
// every server, for ever; ZooKeeper's own clients then need a restart.
test('a store that began again from nothing is taken up by itself, as an absent root', async () => {
  const member = ensemble.member(0);
  const before = await ZookeeperOutsider.connect(member.address);
  for (let n = 0; n < 20; n++) await before.put(`${ROOT}/config/vips/web`, `{"n":${n}}`);
  const watched = cleanups.source(ensemble.servers, { sessionTimeoutMs: 1_000 });
  const old = await watched.session();
  expect(await watched.text('config/vips/web')).toBe('{"n":19}');
  orThrow(await watched.publish({ 'state/agents/lb1': '{}' }));
  before.close();
  await member.kill();
  member.wipe();
  member.start();
  await member.ready();
  const fresh = await eventually('a session with the new store', async () => {
    const session = await watched.session();
    return session === old ? null : session;
  });
  expect(fresh).not.toBe(old);
  expect(await watched.snapshot()).toMatchObject({ rootExists: false, records: new Map() });
  // What we publish waits for an operator to make the root, and comes by itself then.
  const after = cleanups.add(await ZookeeperOutsider.connect(member.address));
  await after.put(`${ROOT}/config/vips/web`, '{"restored":1}');
  await eventually('published', async () => (await after.owner(`${ROOT}/state/agents/lb1`)) === fresh);
});
