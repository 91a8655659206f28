import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cleanups, ROOT } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();
const SERVICES = 10;
const REALS = 100;

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  for (let s = 0; s < SERVICES; s++) {
    await outsider.put(`${ROOT}/config/services/s${s}/reals`, '');
    await outsider.putMany(
      `${ROOT}/config/services/s${s}/reals`,
      new Map(Array.from({ length: REALS }, (_, n) => [`r${n}`, `{"n":${n}}`])),
    );
  }
});
afterAll(() => cleanups.run());

test('a recursive delete, seen through readings all along, only ever shrinks, and ends in an absent root', async () => {
  const watched = cleanups.source(ensemble.servers);
  const whole = await watched.snapshot();
  expect(whole.records.size).toBe(1 + 2 * SERVICES + SERVICES * REALS);
  const done = new AbortController();
  const deletion = outsider.removeTree(ROOT).then(() => done.abort());
  let size = whole.records.size;
  let readings = 0;
  while (!done.signal.aborted) {
    const read = await watched.source.snapshot();
    if (!read.ok) {
      // Overtaken again and again: said, and worth another try.
      expect(read.error).toMatchObject({ code: 'STORE_CONFLICT', transient: true });
      continue;
    }
    const { records } = read.value;
    expect(records.size).toBeLessThanOrEqual(size);
    // A consistent picture: no node without the one above it.
    for (const path of records.keys()) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      expect(parent === 'config' || records.has(parent)).toBe(true);
    }
    size = records.size;
    readings += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await deletion;
  expect(readings).toBeGreaterThan(1);
  expect(await watched.snapshot()).toMatchObject({ rootExists: false, records: new Map() });
});
