import { describe, expect, it } from 'vitest';
import { keptByFloor } from '../../../src/agent/policy/floor.ts';
import { judgeQuorum } from '../../../src/agent/policy/quorum.ts';
import { rampedWeight } from '../../../src/agent/policy/ramp.ts';
import { combineVerdicts, latencyOf } from '../../../src/agent/policy/verdicts.ts';
import type { Verdict, VerdictState } from '../../../src/checks/port.ts';

const verdict = (state: VerdictState, since = 1, latencyMs: number | null = 5): Verdict => ({
  state,
  since,
  cause: `${state} since ${since}`,
  latencyMs,
  at: since,
});

describe('several checks of one real', () => {
  it.each<[string, readonly (Verdict | null)[], VerdictState, number, string]>([
    ['none', [], 'up', 99, 'there are no checks'],
    ['one not heard of yet', [null], 'unknown', 99, 'c0: not checked yet'],
    ['all up, since the last came up', [verdict('up', 3), verdict('up', 7)], 'up', 7, 'c0: up since 3, and 1 more'],
    ['one down', [verdict('up'), verdict('down', 4)], 'down', 4, 'c1: down since 4'],
    ['two down, since the first went down', [verdict('down', 9), verdict('down', 4)], 'down', 4, 'c0: down since 9'],
    ['one down, one unknown', [verdict('unknown'), verdict('down', 4)], 'down', 4, 'c1: down since 4'],
    ['one up, one unknown', [verdict('up'), verdict('unknown', 6)], 'unknown', 6, 'c1: unknown since 6'],
  ])('%s', (_name, verdicts, state, since, cause) => {
    const named = verdicts.map((one, index) => ({ check: `c${index}`, verdict: one }));
    expect(combineVerdicts(named, 99)).toMatchObject({ state, since, cause });
  });

  it('are as slow as the slowest', () => {
    const checks = ['a', 'b', 'c', 'not heard of yet'].map((key) => ({ wanted: { key } }));
    const verdicts = new Map([3, null, 8].map((latency, index) => ['abc'[index] ?? '', verdict('up', 1, latency)]));
    expect(latencyOf(checks, verdicts)).toBe(8);
    expect(latencyOf(checks, new Map())).toBeNull();
  });
});

describe('quorum', () => {
  const reals = (...weights: readonly number[]) => weights.map((weight) => ({ weight, counts: true }));

  it.each([
    ['gained at q + h', 'lost', 25, 'held'],
    ['not gained below q + h', 'lost', 24, 'lost'],
    ['kept at q - h', 'held', 15, 'held'],
    ['lost below q - h', 'held', 14, 'lost'],
  ] as const)('is %s', (_name, before, weight, after) => {
    const quorum = { unit: 'weight', value: 20, hysteresis: 5 } as const;
    const judged = judgeQuorum(quorum, reals(weight), { state: before, since: 7 }, 50);
    expect(judged.state).toBe(after);
    expect(judged.since).toBe(before === after ? 7 : 50);
  });

  it('starts lost', () => {
    const quorum = { unit: 'reals', value: 2, hysteresis: 1 } as const;
    expect(judgeQuorum(quorum, reals(1, 1), null, 0).state).toBe('lost');
    expect(judgeQuorum(quorum, reals(1, 1, 1), null, 0)).toMatchObject({
      state: 'held',
      cause: '3 reals are up; lost below 1',
    });
  });

  it('is never held by nothing, however large the hysteresis', () => {
    const quorum = { unit: 'reals', value: 1, hysteresis: 5 } as const;
    const held = { state: 'held', since: 0 } as const;
    expect(judgeQuorum(quorum, reals(0), held, 1).state).toBe('lost');
    expect(judgeQuorum(quorum, [{ weight: 5, counts: false }], held, 1).state).toBe('lost');
    expect(judgeQuorum(quorum, reals(1), held, 1).state).toBe('held');
  });
});

describe('floor', () => {
  const candidates = (text: string) =>
    Array.from(text, (letter, index) => ({
      name: `r${index}`,
      isIn: letter === 'u',
      isDown: letter === 'd' || letter === 'k',
      wasKept: letter === 'k',
      // Those further right went down later.
      since: index,
    }));

  it.each([
    [0, 'dddd', ''],
    [0.5, 'uudd', ''],
    [0.5, 'uddd', 'r3'],
    [0.5, 'dddd', 'r2 r3'],
    [0.5, 'kddd', 'r0 r3'],
    [0.5, 'kkdu', 'r1'],
    [0.3, 'd', 'r0'],
    [1, 'ddu', 'r0 r1'],
    [0.5, '????', ''],
    [0.5, '???d', 'r3'],
    [0.5, '', ''],
  ])('%f of %s keeps %s', (floor, text, kept) => {
    expect([...keptByFloor(floor, candidates(text))].sort().join(' ')).toBe(kept);
  });

  it('does not round a product that is only just above a whole number up', () => {
    expect(keptByFloor(0.1, candidates('d'.repeat(30))).size).toBe(3);
  });
});

describe('ramp', () => {
  it('climbs in ten steps and ends at the full weight', () => {
    const weights = Array.from({ length: 11 }, (_, index) => rampedWeight(100, index * 1_000, 10_000).weight);
    expect(weights).toEqual([1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    expect(rampedWeight(100, 2_500, 10_000)).toEqual({ weight: 20, nextMs: 500, share: 0.2 });
    expect(rampedWeight(100, 10_000, 10_000).nextMs).toBeNull();
  });

  it('is at least 1, and never above a weight of 0', () => {
    expect(rampedWeight(1, 0, 1_000).weight).toBe(1);
    expect(rampedWeight(0, 0, 1_000).weight).toBe(0);
    expect(rampedWeight(100, -5, 1_000).weight).toBe(1);
  });
});
