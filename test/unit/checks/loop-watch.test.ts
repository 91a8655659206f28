import { expect, it } from 'vitest';
import { LoopWatch } from '../../../src/checks/loop-watch.ts';
import { TurnClock } from '../../fakes/turn-clock.ts';

function watched(): { clock: TurnClock; watch: LoopWatch } {
  const clock = new TurnClock();
  const watch = new LoopWatch(clock);
  watch.start();
  return { clock, watch };
}

it('sees nothing in a loop that is on time', () => {
  const { clock, watch } = watched();
  clock.run(10_000);
  expect(watch.worstSince(0)).toBeLessThanOrEqual(1);
});

it('remembers a standstill for those who waited through it, and not for those who came later', () => {
  const { clock, watch } = watched();
  clock.run(1_000);
  clock.pass(800);
  clock.turn();
  const back = clock.monotonic();
  clock.run(2_000);
  expect(watch.worstSince(900)).toBeGreaterThanOrEqual(750);
  expect(watch.worstSince(back - 1)).toBeGreaterThanOrEqual(750);
  expect(watch.worstSince(back + 1)).toBeLessThanOrEqual(1);
});

it('sees a standstill that has only just ended, before its own timer could run', () => {
  const { clock, watch } = watched();
  clock.run(1_000);
  clock.pass(600);
  expect(watch.worstSince(1_000)).toBeGreaterThanOrEqual(550);
});

it('knows nothing once it is stopped', () => {
  const { clock, watch } = watched();
  clock.run(100);
  watch.stop();
  clock.pass(60_000);
  clock.turn();
  expect(watch.worstSince(clock.monotonic() - 1)).toBe(0);
});
