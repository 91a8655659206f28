import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import type { Source } from '../../../src/sources/source.ts';
import { createZookeeperSource } from '../../../src/sources/zookeeper/zookeeper-source.ts';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { freePort } from '../../lab/free-port.ts';
import { Cleanups, ROOT, SESSION_MS, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// One name for the whole ensemble, as an orchestrator gives it: its addresses come and go while we are connected.
let first: ChaosProxy;
let port: number;
let zone: readonly string[];
let target: string;
const cleanups = new Cleanups();

beforeAll(async () => {
  const ensemble = cleanups.add(await ZookeeperEnsemble.start());
  port = await freePort('127.0.0.21');
  target = ensemble.member(0).address;
  first = cleanups.add(await ChaosProxy.start(target, { host: '127.0.0.21', port }));
  cleanups.add(await ChaosProxy.start(target, { host: '127.0.0.22', port }));
});
afterAll(() => cleanups.run());

/** Random numbers of 0 leave the order as it is. */
function openSource(): Source {
  const lookup = (): Promise<readonly string[]> => Promise.resolve(zone);
  const deps = { clock: systemClock, random: () => 0, log: silentLog, lookup };
  const settings = { servers: [`zk.example:${port}`], root: ROOT, sessionTimeoutMs: SESSION_MS };
  const source = cleanups.add(orThrow(createZookeeperSource(settings, deps)));
  source.start();
  return source;
}

function connectedTo(source: Source, address: string): Promise<string> {
  return eventually(`connected to ${address}`, () => {
    const state = source.state();
    const isThere = state.kind === 'connected' && state.server === `zk.example:${port} (${address})`;
    return isThere ? state.session : null;
  });
}

test('a name that leads elsewhere is followed, within the session', async () => {
  zone = ['127.0.0.21'];
  const source = openSource();
  const session = await connectedTo(source, '127.0.0.21');
  zone = ['127.0.0.22'];
  first.deaf(true);
  first.cut();
  expect(await connectedTo(source, '127.0.0.22')).toBe(session);
  first.deaf(false);
  await source.close({ keepEphemeral: false });
});

test('of several addresses of one name the one that is silent is left for the next', async () => {
  zone = ['127.0.0.21', '127.0.0.22'];
  first.stall();
  const source = openSource();
  await connectedTo(source, '127.0.0.22');
  first.resume();
  await source.close({ keepEphemeral: false });
});

test('while nothing can be resolved the addresses of before are tried', async () => {
  zone = ['127.0.0.21'];
  const source = openSource();
  const session = await connectedTo(source, '127.0.0.21');
  zone = [];
  first.cut();
  await eventually('the cut is noticed', () => source.state().kind === 'connecting', { everyMs: 1 });
  expect(await connectedTo(source, '127.0.0.21')).toBe(session);
  await source.close({ keepEphemeral: false });
});

test('an IPv6 address in brackets is dialled as it stands', async () => {
  const proxy = cleanups.add(await ChaosProxy.start(target, { host: '::1', port }));
  const watched = cleanups.source([`[::1]:${port}`]);
  expect(await watched.server()).toBe(`[::1]:${port}`);
  expect(proxy.accepted).toBe(1);
  await watched.source.close({ keepEphemeral: false });
});
