import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WatchedZnode } from '../../../../src/sources/zookeeper/ensemble-watch.ts';
import { EnsembleBench } from '../../../fakes/ensemble-bench.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import { runs } from '../../../fakes/property.ts';

const PATHS = ['/a', '/b', '/c'];
const path = fc.constantFrom(...PATHS);
const deed = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), path }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('create', 'remove', 'change'), path }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('want', 'release'), path }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('work' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reconnect' as const) }) },
);
type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never;

async function perform(deeds: readonly Deed[]): Promise<void> {
  const world = new EnsembleBench();
  const { server } = world;
  const keeper = world.watch('/kept');
  const wanted = new Map<string, WatchedZnode[]>(PATHS.map((each) => [each, []]));
  const of = (each: string): WatchedZnode[] => wanted.get(each) ?? [];
  await server.connect();
  let [wants, reconnects] = [0, 0];
  for (const each of deeds) {
    switch (each.kind) {
      case 'want':
        of(each.path).push(world.watch(each.path));
        wants += 1;
        break;
      case 'release':
        of(each.path).pop()?.release();
        break;
      case 'ask':
        void of(each.path)[0]?.ask();
        break;
      case 'create':
      case 'remove':
      case 'change':
        if (server.nodes.has(each.path) !== (each.kind === 'create')) server[each.kind](each.path);
        break;
      case 'work':
        server.work();
        break;
      case 'deliver':
        server.deliver(each.count);
        break;
      case 'settle':
        await settle();
        break;
      case 'reconnect':
        reconnects += 1;
        server.hangUp();
        // As long as the longest pause between two attempts.
        await world.clock.advanceAsync(500);
        await server.connect();
        break;
    }
  }
  await world.exchange();
  for (const each of PATHS) {
    const [znode] = of(each);
    if (znode === undefined) continue;
    const truth = server.nodes.has(each) ? 'exists' : 'absent';
    expect(await world.learn(znode)).toEqual({ kind: truth });
    expect(znode.ask()).toEqual({ kind: truth });
  }
  await world.exchange();
  const stillWanted = PATHS.filter((each) => of(each).length > 0);
  expect([...server.watches].sort()).toEqual(stillWanted);
  // Each question has a reason: it is a new znode, something happened to it, or the connection is another one.
  const questions = server.asked().filter((what) => what.startsWith('/'));
  expect(questions.length).toBeLessThanOrEqual(wants + server.changes + PATHS.length * (reconnects + 1));
  for (const znode of [...wanted.values()].flat()) znode.release();
  keeper.release();
  await world.exchange();
  expect(server.asked().at(-1)).toBe('closeSession');
}

test('whatever happens, what is said in the end is true, and nothing is left behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 60 }), async (deeds) => perform(deeds)),
    runs(300),
  );
});
