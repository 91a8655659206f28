import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// What was read of the broken frame must not be taken for the beginning of the next connection's first.
let proxy: ChaosProxy;
const cleanups = new Cleanups();

beforeAll(async () => {
  const ensemble = cleanups.add(await ZookeeperEnsemble.start());
  const outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await outsider.put(`${ROOT}/config/vips`, '');
  await outsider.putMany(
    `${ROOT}/config/vips`,
    new Map(Array.from({ length: 300 }, (_, n) => [`v${n}`, `{"n":${n},"pad":"${'x'.repeat(100)}"}`])),
  );
  proxy = cleanups.add(await ChaosProxy.start(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

// In the length, in the header, in the body; of the answer to the watch, and of the tree.
test.each([1, 3, 10, 21, 30, 500, 5_000, 20_000])('cut %i bytes into the replies', async (bytes) => {
  const watched = cleanups.source([proxy.address]);
  const session = await watched.session();
  await watched.snapshot();
  const edits = watched.pokes;
  proxy.cutAfter('toClient', bytes);
  const outcome = await watched.source.snapshot();
  if (outcome.ok) proxy.cut();
  await eventually('a poke after the reconnect', () => watched.pokes > edits);
  proxy.cutAfter('toClient', Number.MAX_SAFE_INTEGER);
  expect((await watched.snapshot()).records.size).toBe(301);
  expect(await watched.session()).toBe(session);
  await watched.source.close({ keepEphemeral: false });
});

test('cut in the middle of reading the tree for the first time', async () => {
  for (const bytes of [200, 2_000, 20_000, 45_000]) {
    proxy.cutAfter('toClient', bytes);
    const watched = cleanups.source([proxy.address]);
    expect((await watched.snapshot()).records.size).toBe(301);
    await watched.source.close({ keepEphemeral: false });
  }
});
