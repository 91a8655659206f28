import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let outsider: ZookeeperOutsider;
let proxy: ChaosProxy;
const cleanups = new Cleanups();

beforeAll(async () => {
  const ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await outsider.put(`${ROOT}/config/vips/counter`, '0');
  proxy = cleanups.add(await ChaosProxy.start(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

/** Numbers that look random and are the same in each run (a linear congruential generator, Numerical Recipes). */
function* numbers(seed: number): Generator<number, never, undefined> {
  for (let state = seed; ;) {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    yield state / 2 ** 32;
  }
}

test('cuts, stalls and fragments at every moment: no call is left without an answer, no edit unseen', async () => {
  const watched = cleanups.source([proxy.address]);
  await watched.session();
  const chance = numbers(7);
  let answered = 0;
  let asked = 0;
  const ask = (call: Promise<unknown>): void => {
    asked += 1;
    void call.then(() => (answered += 1));
  };
  for (let n = 1; n <= 60; n++) {
    await outsider.put(`${ROOT}/config/vips/counter`, String(n));
    ask(watched.source.snapshot());
    ask(watched.publish({ 'state/agents/lb1': String(n) }));
    ask(watched.source.owner('state/agents/lb1'));
    const dice = chance.next().value;
    if (dice < 0.2) proxy.cut();
    else if (dice < 0.5) proxy.cutAfter('toClient', Math.floor(chance.next().value * 400));
    else if (dice < 0.6) proxy.cutAfter('toServer', Math.floor(chance.next().value * 400));
    else if (dice < 0.7) proxy.fragment(1 + Math.floor(chance.next().value * 20));
    else if (dice < 0.75) proxy.stall();
    else proxy.fragment(undefined);
    await new Promise((resolve) => setTimeout(resolve, chance.next().value * 40));
    proxy.resume();
  }
  proxy.fragment(undefined);
  for (const direction of ['toClient', 'toServer'] as const) proxy.cutAfter(direction, Number.MAX_SAFE_INTEGER);
  await eventually(
    'the last edit is seen after a poke',
    async () => (await watched.text('config/vips/counter')) === '60',
  );
  await eventually('what was wanted last is published', async () => {
    return (await outsider.get(`${ROOT}/state/agents/lb1`)) === '60';
  });
  await eventually('every call is answered', () => answered === asked);
  expect(watched.states).toContain('connecting');
  // The watch still works: nobody asks, and the edit is heard of.
  await watched.untilPoked(() => outsider.put(`${ROOT}/config/vips/counter`, 'after'));
});
