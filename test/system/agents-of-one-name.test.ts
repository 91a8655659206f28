import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZookeeperDirector, putShop } from '../fakes/zookeeper-director.ts';
import { eventually } from '../lab/eventually.ts';
import { Cleanups, ROOT, SESSION_MS } from '../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';

// Two directors were given one name: say, from one disk image. Kernels and speakers are fakes; the store is not.
let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();
const AGENT = `${ROOT}/state/agents/lb1`;
const HEALTH = `${ROOT}/state/health/web/lb1`;

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await putShop(outsider);
});
afterAll(() => cleanups.run());

test('the second serves and publishes nothing, says why once two sessions have passed, and takes over', async () => {
  const first = new ZookeeperDirector(ensemble.servers);
  const session = await first.store.session();
  await eventually('the first publishes', async () => (await outsider.get(HEALTH)) !== null);
  const record = await outsider.get(AGENT);

  const began = performance.now();
  const second = new ZookeeperDirector(ensemble.servers);
  await eventually('the second serves', () => second.serves());
  const other = await second.store.session();
  await eventually('it waits', () => second.status().store.publishing.startsWith('waiting'));
  const refusal = `another agent publishes under the name lb1 (session ${session})`;
  const status = await eventually('it is not ready', () => {
    const seen = second.status();
    return seen.notReady.includes(refusal) ? seen : null;
  });
  expect(performance.now() - began).toBeGreaterThan(1.5 * SESSION_MS);
  expect(status).toMatchObject({ ready: false, notReady: [refusal] });
  expect(second.log.lines.map(({ message }) => message)).toContain(
    'another agent runs under our name: nothing is published until it is gone; give one of them another name',
  );
  expect(await second.serves()).toBe(true);
  expect([await outsider.owner(AGENT), await outsider.owner(HEALTH)]).toEqual([session, session]);
  expect(first.status()).toMatchObject({ ready: true, store: { publishing: 'ok' } });
  expect(record).not.toBeNull();

  await first.stop();
  await eventually('the second is ready', () => second.status().ready);
  expect(second.status().store.publishing).toBe('ok');
  await eventually('its records are there', async () => (await outsider.owner(HEALTH)) === other);
  expect(await outsider.owner(AGENT)).toBe(other);
  await second.stop();
});
