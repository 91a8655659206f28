import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cancel } from '../../../src/core/ports.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { createZookeeperSource } from '../../../src/sources/zookeeper/zookeeper-source.ts';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, SESSION_MS, orThrow } from '../../lab/zookeeper-kit.ts';
import { OldZookeeper } from '../../lab/old-zookeeper.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// Somebody meddles with our records behind our back, so what we remember of them is wrong.
let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();
const PATH = 'state/health/web/lb1';

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start({ properties: ['-Dznode.container.checkIntervalMs=300'] }));
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await outsider.put(`${ROOT}/config/vips/web`, '{}');
});
afterAll(() => cleanups.run());

test('deleted, with its folders: written anew with the next change', async () => {
  const watched = cleanups.source(ensemble.servers);
  await watched.session();
  orThrow(await watched.publish({ [PATH]: '1', 'state/agents/lb1': '1' }));
  await outsider.removeTree(`${ROOT}/state`);
  // A folder that was never made, below folders that are gone.
  const other = 'state/health/other/lb1';
  expect(orThrow(await watched.publish({ [PATH]: '2', 'state/agents/lb1': '2', [other]: '2' })).written).toBe(3);
  expect(await outsider.get(`${ROOT}/${PATH}`)).toBe('2');
  expect(await outsider.get(`${ROOT}/${other}`)).toBe('2');
  await watched.source.close({ keepEphemeral: false });
});

test('deleted while we were cut off: written again with the return, though nothing of it changed', async () => {
  const proxy = await ChaosProxy.start(ensemble.member(0).address);
  const watched = cleanups.source([proxy.address]);
  const session = await watched.session();
  orThrow(await watched.publish({ [PATH]: '1', 'state/agents/lb1': '1' }));
  proxy.deaf(true);
  proxy.cut();
  await eventually('the cut is noticed', () => !watched.isConnected);
  await outsider.remove(`${ROOT}/${PATH}`);
  proxy.deaf(false);
  await eventually('it is there again', async () => (await outsider.get(`${ROOT}/${PATH}`)) === '1');
  expect(await outsider.owner(`${ROOT}/${PATH}`)).toBe(session);
  await watched.source.close({ keepEphemeral: false });
  await proxy.close();
});

test('deleted with our own session, at the stop: nothing is left to be done about it', async () => {
  const pending = new Set<object>();
  const clock = {
    ...systemClock,
    after: (ms: number, run: () => void): Cancel => {
      const timer = {};
      pending.add(timer);
      const cancel = systemClock.after(ms, () => {
        pending.delete(timer);
        run();
      });
      return () => {
        pending.delete(timer);
        cancel();
      };
    },
  };
  const options = { servers: ensemble.servers, root: ROOT, sessionTimeoutMs: SESSION_MS };
  const source = orThrow(createZookeeperSource(options, { clock, random: Math.random, log: silentLog }));
  source.start();
  await eventually('a session', () => source.state().kind === 'connected');
  orThrow(await source.publish(new Map([[PATH, Buffer.from('1')]])));
  await source.close({ keepEphemeral: false });
  expect(await outsider.get(`${ROOT}/${PATH}`)).toBeNull();
  expect(pending.size).toBe(0);
});

test.each([
  ['tells of deletions', (address: string) => Promise.resolve(address)],
  ['does not: before 3.6', async (address: string) => cleanups.add(await OldZookeeper.start(address)).address],
])('replaced by a stranger’s: not overwritten, not deleted, and reported, if the server %s', async (_what, through) => {
  const watched = cleanups.source([await through(ensemble.member(0).address)]);
  await eventually('published', async () => (await watched.publish({ [PATH]: '1' })).ok);
  // Another agent's record: the server would remove the empty folder before the stranger writes into it.
  await outsider.put(`${ROOT}/state/health/web/lb2`, '1');
  await outsider.remove(`${ROOT}/${PATH}`);
  await outsider.putEphemeral(`${ROOT}/${PATH}`, 'stranger');
  // The stranger's node has the version that ours had: only its owner tells them apart.
  const owner = await outsider.owner(`${ROOT}/${PATH}`);
  const report = orThrow(await watched.publish({ [PATH]: '2' }));
  expect(report).toEqual({ written: 0, deleted: 0, refused: new Map([[PATH, owner]]) });
  expect(await outsider.get(`${ROOT}/${PATH}`)).toBe('stranger');
  orThrow(await watched.publish({}));
  expect(await outsider.get(`${ROOT}/${PATH}`)).toBe('stranger');
  await outsider.remove(`${ROOT}/${PATH}`);
  expect(orThrow(await watched.publish({ [PATH]: '4' }))).toMatchObject({ written: 1, refused: new Map() });
  await watched.source.close({ keepEphemeral: false });
});

test('blocked by a node that belongs to no session: reported as owned by nobody', async () => {
  await outsider.put(`${ROOT}/state/agents/blocked`, 'by hand');
  const watched = cleanups.source(ensemble.servers);
  await watched.session();
  const report = orThrow(await watched.publish({ 'state/agents/blocked': '1', 'state/agents/free': '1' }));
  expect(report).toEqual({ written: 1, deleted: 0, refused: new Map([['state/agents/blocked', '0x0']]) });
  await watched.source.close({ keepEphemeral: false });
});

test('its service’s folder goes when it is empty, and comes back when it is needed', async () => {
  const watched = cleanups.source(ensemble.servers);
  await watched.session();
  const folder = `${ROOT}/state/health/gone`;
  orThrow(await watched.publish({ 'state/health/gone/lb1': '1' }));
  orThrow(await watched.publish({}));
  await eventually('the server removed the empty folder', async () => (await outsider.get(folder)) === null);
  expect(orThrow(await watched.publish({ 'state/health/gone/lb1': '2' })).written).toBe(1);
  expect(await outsider.get(`${folder}/lb1`)).toBe('2');
});
