import { afterAll, beforeAll, expect, test } from 'vitest';
import { ZookeeperDirector, putShop } from '../../fakes/zookeeper-director.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// Somebody writes more under config/ than an agent takes into its memory.
let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();
const LONG = process.env['VIPKEEPER_LONG'] === '1';
/** More than the agent takes. */
const TOO_MANY = LONG ? 50_000 : 4_000;
/** In one folder, and as many again below: 100,000 nodes, or as many as a short run can write. */
const WIDE = LONG ? 50_000 : 10_000;

const timeout = LONG ? 300_000 : 60_000;

const numbered = (count: number): Map<string, string> =>
  new Map(Array.from({ length: count }, (_, n) => [`n${n}`, '']));

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await putShop(outsider);
});
afterAll(() => cleanups.run());

test('it is said, what is in force stays, and edits count again once there is room', { timeout }, async () => {
  const director = new ZookeeperDirector(ensemble.servers, { limits: { maxRecords: TOO_MANY, maxBytes: 1_000_000 } });
  await eventually('it serves', () => director.serves());
  await outsider.put(`${ROOT}/config/odd`, '');
  await outsider.putMany(`${ROOT}/config/odd`, numbered(TOO_MANY));
  const said = await eventually('it says so', () => director.status().store.lastError);
  expect(said).toMatch(`STORE_TOO_LARGE: config/ holds more than ${TOO_MANY} records`);
  expect(director.status()).toMatchObject({ ready: true, store: { state: 'connected' } });
  expect(await director.serves()).toBe(true);

  for (let n = 0; n < 50; n++) await outsider.remove(`${ROOT}/config/odd/n${n}`);
  await eventually('it reads again', () => director.status().store.lastError === null);
  expect(await director.serves()).toBe(true);
  await director.stop();
});

test(
  'within the limits a tree as wide, and as many again below it, is read whole and followed',
  { timeout },
  async () => {
    const root = '/wide';
    await outsider.put(`${root}/config/services`, '');
    await outsider.putMany(`${root}/config/services`, numbered(WIDE));
    const folders = LONG ? 500 : 100;
    for (let n = 0; n < folders; n++) {
      await outsider.putMany(`${root}/config/services/n${n}`, numbered(WIDE / folders));
    }
    const watched = cleanups.source(ensemble.servers, { root, sessionTimeoutMs: 10_000 });
    expect((await watched.snapshot()).records.size).toBe(1 + 2 * WIDE);
    await watched.untilPoked(() => outsider.put(`${root}/config/services/n1/n1`, '{"edit":1}'));
    await eventually('the edit', async () => (await watched.text('config/services/n1/n1')) === '{"edit":1}');
    expect(watched.states.filter((kind) => kind === 'connected')).toHaveLength(1);
  },
);
