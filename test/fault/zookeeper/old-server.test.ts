import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { OldZookeeper } from '../../lab/old-zookeeper.ts';
import { Cleanups, ROOT, openClient, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// Before 3.6 there are no recursive watches and no multiRead, and asking for them costs the connection.
let old: OldZookeeper;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();

beforeAll(async () => {
  const ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  old = cleanups.add(await OldZookeeper.start(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

test('one-shot watches do instead: every kind of change is seen, from the absent root on', async () => {
  const watched = cleanups.source([old.address]);
  expect((await watched.snapshot()).rootExists).toBe(false);
  const edit = async (what: () => Promise<unknown>, holds: () => Promise<boolean>): Promise<void> => {
    await watched.untilPoked(what);
    await eventually('the change is read', holds);
  };
  const real = 'config/services/web/reals/a';
  await edit(
    () => outsider.put(`${ROOT}/${real}`, '{"n":1}'),
    async () => (await watched.text(real)) === '{"n":1}',
  );
  for (let n = 2; n < 6; n++) {
    await edit(
      () => outsider.put(`${ROOT}/${real}`, `{"n":${n}}`),
      async () => (await watched.text(real)) === `{"n":${n}}`,
    );
  }
  await edit(
    () => outsider.put(`${ROOT}/config/vips/web`, '{}'),
    async () => (await watched.text('config/vips/web')) === '{}',
  );
  await edit(
    () => outsider.remove(`${ROOT}/${real}`),
    async () => (await watched.text(real)) === null,
  );
  await edit(
    () => outsider.removeTree(ROOT),
    async () => !(await watched.snapshot()).rootExists,
  );
  await edit(
    () => outsider.put(`${ROOT}/config/vips/web`, '{"again":1}'),
    async () => (await watched.text('config/vips/web')) === '{"again":1}',
  );
  expect(orThrow(await watched.publish({ 'state/health/web/lb1': '{}' })).written).toBe(1);
  // The server was asked once for what it cannot do, and maybe for a container before the answer came.
  expect(old.refused.filter((op) => op === 106)).toHaveLength(1);
  expect(old.refused.length).toBeLessThanOrEqual(2);
});

test('the operators’ client reads and writes', async () => {
  const client = cleanups.add(openClient([old.address]));
  const put = { kind: 'put', path: 'config/services/x/reals/a', bytes: Buffer.from('{}') } as const;
  orThrow(await client.write([put, { ...put, path: 'config/services/x' }]));
  const paths = orThrow(await client.list('config/services/x')).map((record) => record.path);
  expect(paths).toEqual(['config/services/x', 'config/services/x/reals', 'config/services/x/reals/a']);
  orThrow(await client.write(paths.map((path) => ({ kind: 'delete', path }) as const)));
  expect(await outsider.get(`${ROOT}/config/services/x`)).toBeNull();
});
