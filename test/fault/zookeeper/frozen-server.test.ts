import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// A stopped process keeps its sockets open and takes new connections: only silence gives it away.
let ensemble: ZookeeperEnsemble;
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  const outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await outsider.put(`${ROOT}/config/vips/web`, '{}');
});
afterAll(() => cleanups.run());

test('silence is noticed before the session is over, every call is answered, and the session survives', async () => {
  const member = ensemble.member(0);
  const watched = cleanups.source(ensemble.servers);
  const session = await watched.session();
  await watched.snapshot();
  member.freeze();
  const calls = [1, 2, 3].map((n) => watched.source.owner(`state/agents/lb${n}`));
  const outcomes = await Promise.all(calls);
  expect(outcomes.map((each) => (each.ok ? 'answered' : each.error.code))).toEqual(
    Array.from({ length: 3 }, () => 'STORE_DISCONNECTED'),
  );
  expect(watched.isConnected).toBe(false);
  // What comes now is not even sent, and so is answered at once while the server hangs.
  expect(await watched.source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
  member.thaw();
  await eventually('connected again', () => watched.isConnected);
  expect(await watched.session()).toBe(session);
});
