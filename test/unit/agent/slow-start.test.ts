import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rampedWeight } from '../../../src/agent/policy/ramp.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { runs } from '../../fakes/property.ts';

const WEIGHT = 40;
const SLOW_MS = 10_000;
const A = '10.0.0.1';

const health = { rise: 1, fall: 2, initial: 'unknown', whenDown: 'quiesce', floor: 0, slowStartMs: SLOW_MS } as const;
const desired = configuration([service('web', [real('a', A, { weight: WEIGHT }), real('b', '10.0.0.2')], { health })]);

const step = fc.record({
  ms: fc.integer({ min: 0, max: 6_000 }),
  /** How far the wall clock jumps besides. */
  jump: fc.integer({ min: -10_000_000, max: 10_000_000 }),
  verdict: fc.constantFrom('up', 'up', 'up', 'down', 'unknown'),
});

describe('slow start', () => {
  it('counts from the last time that the real came up, on the monotonic clock, whatever else happens', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        // `Decisions` passes the memory on as JSON, as a restart does.
        const decisions = new Decisions();
        let decided: 'up' | 'down' | null = null;
        let upAt = 0;
        for (const { ms, jump, verdict } of steps) {
          decisions.wait(ms).now += jump;
          decisions.decide(desired, { [A]: verdict, '10.0.0.2': 'up' });
          if (verdict !== 'unknown') {
            if (verdict === 'up' && decided !== 'up') upAt = decisions.monotonic;
            decided = verdict;
          }
          const ramp = rampedWeight(WEIGHT, decisions.monotonic - upAt, SLOW_MS);
          expect(decisions.real('a').weight).toBe(decided === 'up' ? ramp.weight : 0);
          // It wakes up for the next step by itself, and for none when the top is reached.
          const others = rampedWeight(10, decisions.monotonic - 1_000 - (steps[0]?.ms ?? 0), SLOW_MS).nextMs;
          const next = Math.min(decided === 'up' ? (ramp.nextMs ?? Infinity) : Infinity, others ?? Infinity);
          expect(decisions.effective.nextChangeMs ?? Infinity).toBe(next);
        }
      }),
      runs(200),
    );
  });
});
