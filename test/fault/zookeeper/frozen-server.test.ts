import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, SESSION_MS } from '../../lab/zookeeper-kit.ts';
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

test('silence is noticed within two thirds of the session, every call is answered, and the session survives', async () => {
  const member = ensemble.member(0);
  const watched = cleanups.source(ensemble.servers);
  const session = await watched.session();
  await watched.snapshot();
  member.freeze();
  const since = performance.now();
  const calls = [1, 2, 3].map((n) => watched.source.owner(`state/agents/lb${n}`));
  const outcomes = await Promise.all(calls);
  const noticed = performance.now() - since;
  expect(outcomes.map((each) => (each.ok ? 'answered' : each.error.code))).toEqual(
    Array.from({ length: 3 }, () => 'STORE_DISCONNECTED'),
  );
  expect(noticed).toBeLessThan((SESSION_MS * 2) / 3 + 300);
  expect(watched.isConnected).toBe(false);
  // What comes now is answered at once, and so is each further call while the server hangs.
  const asked = performance.now();
  expect(await watched.source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
  expect(performance.now() - asked).toBeLessThan(100);
  member.thaw();
  await eventually('connected again', () => watched.isConnected, { everyMs: 5 });
  expect(await watched.session()).toBe(session);
});
