import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { PokedReader } from '../../lab/poked-reader.ts';
import { Cleanups, ROOT, SESSION_MS, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
});
afterAll(() => cleanups.run());

test('kill -9 and restart: the same session, its records in place, and an edit of the meantime seen', async () => {
  const member = ensemble.member(0);
  const before = await ZookeeperOutsider.connect(member.address);
  await before.put(`${ROOT}/config/vips/web`, '{"n":1}');
  const watched = cleanups.source(ensemble.servers, { sessionTimeoutMs: 10_000 });
  const session = await watched.session();
  expect(await watched.text('config/vips/web')).toBe('{"n":1}');
  orThrow(await watched.publish({ 'state/health/web/lb1': '{"v":1}', 'state/agents/lb1': '{}' }));
  before.close();
  await member.kill();
  await eventually('the loss is noticed', () => !watched.isConnected);
  const offline = await watched.publish({ 'state/health/web/lb1': '{"v":2}' });
  expect(offline).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE', transient: true } });
  member.start();
  // Faster than the source, which sees it only after its own reconnect.
  const { pokes } = watched;
  await member.ready();
  const after = cleanups.add(await ZookeeperOutsider.connect(member.address));
  await after.put(`${ROOT}/config/vips/web`, '{"n":2}');
  await eventually('connected again', () => watched.isConnected);
  await eventually('a poke', () => watched.pokes > pokes);
  await eventually('the edit is read', async () => (await watched.text('config/vips/web')) === '{"n":2}');
  expect(await watched.session()).toBe(session);
  expect(await after.owner(`${ROOT}/state/health/web/lb1`)).toBe(session);
  // What could not be written then was remembered.
  await eventually('the newest set is there', async () => {
    return (await after.get(`${ROOT}/state/health/web/lb1`)) === '{"v":2}';
  });
  expect(await after.get(`${ROOT}/state/agents/lb1`)).toBeNull();
});

test('what was edited while we were cut off is told by a poke on our return, though no event of it comes', async () => {
  const member = ensemble.member(0);
  const outsider = cleanups.add(await ZookeeperOutsider.connect(member.address));
  const proxy = cleanups.add(await ChaosProxy.start(member.address));
  const watched = cleanups.source([proxy.address], { sessionTimeoutMs: 10_000 });
  const reader = new PokedReader(watched.source);
  await watched.session();
  await outsider.put(`${ROOT}/config/vips/cut`, '{"n":1}');
  await reader.sees('config/vips/cut', '{"n":1}');
  proxy.deaf(true);
  proxy.cut();
  await eventually('the cut is noticed', () => !watched.isConnected);
  await outsider.put(`${ROOT}/config/vips/cut`, '{"n":2}');
  await outsider.put(`${ROOT}/config/vips/new`, '{}');
  proxy.deaf(false);
  await reader.sees('config/vips/cut', '{"n":2}');
  expect(reader.get('config/vips/new')).toBe('{}');
});

// Something that takes connections in place of a server that is down, and hangs up, looks like a server that refuses us.
test('down for longer than two sessions behind a proxy: the session goes on once the server is back', async () => {
  const member = ensemble.member(0);
  const proxy = cleanups.add(await ChaosProxy.start(member.address));
  const watched = cleanups.source([proxy.address], { sessionTimeoutMs: SESSION_MS });
  const session = await watched.session();
  orThrow(await watched.publish({ 'state/agents/lb2': '1' }));
  await member.kill();
  const since = performance.now();
  await eventually('refused for long', () => performance.now() - since > 2.5 * SESSION_MS);
  expect(watched.states.at(-1)).toBe('connecting');
  member.start();
  // The server has it from its log, and gives it its time again.
  await eventually('connected again', () => watched.isConnected);
  expect(await watched.session()).toBe(session);
  expect(orThrow(await watched.source.owner('state/agents/lb2'))?.session).toBe(session);
});
