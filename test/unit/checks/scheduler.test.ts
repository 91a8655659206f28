import { describe, expect, it } from 'vitest';
import type { Recurring } from '../../../src/checks/scheduler.ts';
import { DEFAULT_LIMITS, Scheduler } from '../../../src/checks/scheduler.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { TurnClock } from '../../fakes/turn-clock.ts';

interface Job extends Recurring {
  readonly name: string;
}

function job(name: string, options: { intervalMs?: number; jitter?: number } = {}): Job {
  const { intervalMs = 2_000, jitter = 0 } = options;
  return { name, definition: { intervalMs, jitter }, dueAt: 0, slot: -1, nominalAt: 0, removed: false };
}

/** Numbers that look random and are the same in every run (mulberry32). */
function repeatableRandom(seed = 7): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function scheduler(options: { limits?: Partial<typeof DEFAULT_LIMITS>; durationMs?: number } = {}) {
  const clock = new ManualClock();
  const starts: { readonly name: string; readonly at: number }[] = [];
  const running = new Set<string>();
  let mostRunning = 0;
  let overlaps = 0;
  const tested = new Scheduler<Job>(
    { clock, random: repeatableRandom() },
    { ...DEFAULT_LIMITS, ...options.limits },
    ({ name }) => {
      if (running.has(name)) overlaps++;
      running.add(name);
      mostRunning = Math.max(mostRunning, running.size);
      starts.push({ name, at: clock.monotonic() });
      return new Promise((resolve) => {
        clock.after(options.durationMs ?? 10, () => {
          running.delete(name);
          resolve();
        });
      });
    },
  );
  const startsOf = (name: string): number[] => starts.filter((start) => start.name === name).map(({ at }) => at);
  return { clock, tested, starts, startsOf, stats: () => ({ mostRunning, overlaps }) };
}

const jobs = (count: number): Job[] => Array.from({ length: count }, (_, index) => job(`job ${index}`));
const gaps = (times: readonly number[]): number[] => times.slice(1).map((at, index) => at - (times[index] ?? 0));

describe('the schedule', () => {
  it('starts a single job at once and keeps a fixed rate after the second start', async () => {
    const { clock, tested, startsOf } = scheduler();
    tested.add([job('a')]);
    await clock.advanceAsync(20_000);
    const [first = Infinity] = startsOf('a');
    expect(first).toBeLessThanOrEqual(7);
    const [second = 0, ...rest] = gaps(startsOf('a'));
    expect(second).toBeGreaterThanOrEqual(1_000);
    expect(second).toBeLessThanOrEqual(3_005);
    expect(rest.length).toBeGreaterThanOrEqual(8);
    for (const gap of rest) expect(Math.abs(gap - 2_000)).toBeLessThanOrEqual(5);
  });

  it('spreads many new jobs over a second, and then over the whole interval', async () => {
    const { clock, tested, starts } = scheduler({ durationMs: 0 });
    tested.add(jobs(1_000));
    await clock.advanceAsync(1_010);
    expect(starts).toHaveLength(1_000);
    const perTenth = Array.from(
      { length: 10 },
      (_, tenth) => starts.filter(({ at }) => Math.floor(at / 101) === tenth).length,
    );
    for (const count of perTenth) expect(count).toBeGreaterThan(50);
    await clock.advanceAsync(8_990);
    const late = starts.filter(({ at }) => at >= 8_000 && at < 10_000);
    expect(Math.abs(late.length - 1_000)).toBeLessThan(30);
    const perFifth = [0, 1, 2, 3, 4].map(
      (fifth) => late.filter(({ at }) => Math.floor((at - 8_000) / 400) === fifth).length,
    );
    for (const count of perFifth) expect(count).toBeGreaterThan(150);
  });

  it('shifts starts within the jitter without drifting', async () => {
    const { clock, tested, startsOf } = scheduler();
    tested.add([job('a', { jitter: 0.2 })]);
    await clock.advanceAsync(100_000);
    const times = startsOf('a').slice(1);
    const [first = 0] = times;
    const shifts = times.map((at, index) => at - first - index * 2_000);
    // Two starts may differ by the whole jitter (20 % of 2 s), and a wake-up may be 5 ms late.
    for (const shift of shifts) expect(Math.abs(shift)).toBeLessThanOrEqual(410);
    expect(new Set(shifts.map(Math.round)).size).toBeGreaterThan(10);
    expect(times.length).toBeGreaterThanOrEqual(48);
  });

  it('never runs a job twice at once, and makes up for nothing', async () => {
    const { clock, tested, startsOf, stats } = scheduler({ durationMs: 5_000 });
    tested.add([job('slow')]);
    await clock.advanceAsync(31_000);
    expect(stats().overlaps).toBe(0);
    expect(startsOf('slow').length).toBe(7);
  });

  it('stops for a job that is removed, idle or running, and for no other', async () => {
    const { clock, tested, startsOf } = scheduler({ durationMs: 100 });
    const [idle, running, other] = [job('idle'), job('running'), job('other')];
    tested.add([idle, running, other]);
    await clock.advanceAsync(50);
    tested.remove(running);
    await clock.advanceAsync(500);
    tested.remove(idle);
    await clock.advanceAsync(20_000);
    expect([startsOf('idle').length, startsOf('running').length]).toEqual([1, 1]);
    expect(startsOf('other').length).toBeGreaterThan(8);
  });
});

describe('limits', () => {
  it('keeps to the number in flight, loses no job, and says how late they start', async () => {
    const { clock, tested, starts, stats } = scheduler({ limits: { maxInFlight: 10 }, durationMs: 100 });
    tested.add(jobs(100));
    await clock.advanceAsync(1_100);
    expect(stats()).toEqual({ mostRunning: 10, overlaps: 0 });
    expect(new Set(starts.map(({ name }) => name)).size).toBe(100);
    expect(tested.takeWorstLateness()).toBeGreaterThan(500);
    expect(tested.inFlight).toBeLessThanOrEqual(10);
  });

  it('starts only so many in one turn of the event loop, and all of them in the end', () => {
    const clock = new TurnClock();
    const limits = { maxInFlight: 100, maxStartsPerTurn: 8 };
    let started = 0;
    const tested = new Scheduler<Job>({ clock, random: repeatableRandom() }, limits, () => {
      started++;
      return new Promise(() => undefined);
    });
    tested.add(jobs(20));
    // All of them are due by the time that the loop comes back.
    clock.pass(1_000);
    const perTurn = [1, 2, 3, 4].map(() => {
      const before = started;
      clock.turn();
      return started - before;
    });
    expect(perTurn).toEqual([8, 8, 4, 0]);
  });

  it('starts nothing after it was stopped', async () => {
    const { clock, tested, starts } = scheduler();
    tested.add(jobs(10));
    tested.stop();
    await clock.advanceAsync(10_000);
    expect(starts).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
