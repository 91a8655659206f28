import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
let proxy: ChaosProxy;
const cleanups = new Cleanups();
const COUNT = 300;

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start({ tickMs: 250 }));
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await outsider.put(`${ROOT}/config/vips/web`, '{"n":1}');
  proxy = cleanups.add(await ChaosProxy.start(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

test('an expired session answers every call, and everything is published again under the new one', async () => {
  const watched = cleanups.source([proxy.address], { sessionTimeoutMs: 1_000 });
  const old = await watched.session();
  const records = Object.fromEntries(
    Array.from({ length: COUNT }, (_, n) => [`state/health/s${n % 10}/lb${n}`, `{"n":${n}}`]),
  );
  expect(orThrow(await watched.publish(records)).written).toBe(COUNT);
  proxy.stall();
  const calls = Array.from({ length: 20 }, (_, n) => watched.source.owner(`state/health/s0/lb${n}`));
  const writing = watched.publish({ ...records, 'state/agents/lb1': '{}' });
  const outcomes = [...(await Promise.all(calls)), await writing];
  expect(outcomes.every((each) => !each.ok && each.error.transient)).toBe(true);
  await eventually('the server let the session expire', async () => {
    return (await outsider.owner(`${ROOT}/state/health/s0/lb0`)) === null;
  });
  await outsider.put(`${ROOT}/config/vips/web`, '{"n":2}');
  proxy.resume();
  const fresh = await eventually('a new session', async () => {
    const session = await watched.session();
    return session === old ? null : session;
  });
  // Batches go out in order of the paths, so this is the last of all.
  await eventually('the last record is there again', async () => {
    return (await outsider.owner(`${ROOT}/state/health/s9/lb99`)) === fresh;
  });
  for (let n = 0; n < 10; n++) {
    expect(await outsider.children(`${ROOT}/state/health/s${n}`)).toHaveLength(COUNT / 10);
  }
  expect(await outsider.owner(`${ROOT}/state/agents/lb1`)).toBe(fresh);
  expect(await watched.text('config/vips/web')).toBe('{"n":2}');
});
