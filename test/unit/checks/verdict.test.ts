import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProbeOutcome } from '../../../src/checks/outcome.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import type { Judgement, Thresholds } from '../../../src/checks/verdict.ts';
import { NOT_RUN_LIMIT, firstVerdict, judge, judgementFrom } from '../../../src/checks/verdict.ts';
import { runs } from '../../fakes/property.ts';

type Step = 'S' | 'F' | 'N';

const OUTCOMES: Readonly<Record<Step, ProbeOutcome>> = {
  S: { kind: 'success', cause: '200', latencyMs: 3.4 },
  F: { kind: 'failure', cause: 'status 503, wanted 200-299', latencyMs: 2, proof: 'answer' },
  N: { kind: 'notRun', cause: 'too many open files' },
};
const THRESHOLDS: Thresholds = { rise: 2, fall: 3 };

function play(steps: string, thresholds = THRESHOLDS, from = judgementFrom(firstVerdict(0), false)): Judgement[] {
  const history: Judgement[] = [];
  let at = from;
  Array.from(steps).forEach((step, index) => {
    at = judge(at, OUTCOMES[step as Step], thresholds, index + 1);
    history.push(at);
  });
  return history;
}

const letters = { up: 'U', down: 'D', unknown: '?' } as const;
const states = (history: readonly Judgement[]): string => history.map(({ state }) => letters[state]).join('');

describe('rise and fall', () => {
  it.each([
    // steps, verdict after each of them
    ['S', 'U'],
    ['F', 'D'],
    ['SFFF', 'UUUD'],
    ['SFFSFFF', 'UUUUUUD'],
    ['FSS', 'DDU'],
    ['FSFSS', 'DDDDU'],
    ['NNNNS', '????U'],
    ['NNNNF', '????D'],
    // What could not be run breaks no row and adds to none.
    ['SFNFNF', 'UUUUUD'],
    ['FSNS', 'DDDU'],
    // Three in a row that could not be run: nobody knows any more.
    ['SNNN', 'UUU?'],
    ['SNNSNNN', 'UUUUUU?'],
    // Out of unknown again, by the thresholds: what was proven once is not thrown over by one result.
    ['SNNNFFF', 'UUU???D'],
    ['SNNNFSS', 'UUU???U'],
    ['FNNNSS', 'DDD??U'],
  ])('%s gives %s', (steps, wanted) => expect(states(play(steps))).toBe(wanted));

  it('waits for as many missed probes as for failures where fall is larger', () => {
    expect(states(play('SNNNNN', { rise: 1, fall: 5 }))).toBe('UUUUU?');
  });

  it('goes on from a restored verdict by the thresholds', () => {
    const restored = { state: 'up', since: -5, cause: '200 in 1 ms', latencyMs: 1, at: -1 } as const;
    const history = play('FFF', THRESHOLDS, judgementFrom(restored, true));
    expect(states(history)).toBe('UUD');
    expect(history.map(({ since }) => since)).toEqual([-5, -5, 3]);
  });
});

describe('the judgement', () => {
  it.each([
    // steps of which the last one says nothing new
    ['SSS'],
    ['FFFF'],
    ['SFSSS'],
    ['FSSS'],
  ])('is the very same object after %s as before its last step', (steps) => {
    const [before, after] = play(steps).slice(-2);
    expect(after).toBe(before);
  });

  it('is another object while a row grows, and after a probe that could not be run', () => {
    for (const steps of ['SF', 'SFF', 'SSN', 'SSNS']) {
      const [before, after] = play(steps).slice(-2);
      expect(after).not.toEqual(before);
    }
  });
});

describe('the cause', () => {
  const causes = (steps: string): string[] => play(steps).map(({ cause }) => cause);

  it('counts towards a change and says what changed it', () => {
    expect(causes('SFFF')).toEqual([
      '200 in 3 ms',
      'status 503, wanted 200-299 (failure 1 of 3)',
      'status 503, wanted 200-299 (failure 2 of 3)',
      'status 503, wanted 200-299',
    ]);
    expect(causes('FSS').slice(1)).toEqual(['200 in 3 ms (success 1 of 2)', '200 in 3 ms']);
  });

  it('stays the same words while nothing changes, although latencies do', () => {
    const [first] = play('S');
    const slower = judge(
      first ?? judgementFrom(firstVerdict(0), false),
      { ...OUTCOMES.S, latencyMs: 90 } as never,
      THRESHOLDS,
      9,
    );
    expect(slower).toMatchObject({ cause: '200 in 3 ms', since: 1 });
  });

  it('is the newest one, where the same result has another', () => {
    const refused = { kind: 'failure', cause: 'connection refused', latencyMs: 1, proof: 'answer' } as const;
    const down = play('FFFF').at(-1) ?? judgementFrom(firstVerdict(0), false);
    expect(judge(down, refused, THRESHOLDS, 9)).toMatchObject({ state: 'down', since: 1, cause: 'connection refused' });
  });

  it('is clean again after a failure that came to nothing', () => {
    expect(causes('SFS')[2]).toBe('200 in 3 ms');
  });

  it('names what keeps a probe from running', () => {
    expect(causes('SNNN')).toEqual([...Array<string>(3).fill('200 in 3 ms'), 'not run: too many open files']);
    expect(causes('N')).toEqual(['not run: too many open files']);
  });
});

/** Says the verdict by reading the whole history backwards, in no way like the machine does. */
function oracle(steps: readonly Step[], { rise, fall }: Thresholds): VerdictState {
  const limit = Math.max(fall, NOT_RUN_LIMIT);
  for (let end = steps.length; end > 0; end--) {
    const past = steps.slice(0, end);
    const missed = past.length - (past.findLastIndex((step) => step !== 'N') + 1);
    if (missed >= limit || missed === end) return 'unknown';
    const heard = past.filter((step) => step !== 'N');
    // Only the last step can change anything; look at what it did, else go one step back.
    if (past.at(-1) === 'N') continue;
    if (heard.length === 1) return heard[0] === 'S' ? 'up' : 'down';
    const needed = heard.at(-1) === 'S' ? rise : fall;
    const row = heard.slice(-needed);
    if (row.length === needed && row.every((step) => step === heard.at(-1)))
      return heard.at(-1) === 'S' ? 'up' : 'down';
  }
  return 'unknown';
}

const anySteps = fc.array(fc.constantFrom<Step>('S', 'F', 'N'), { maxLength: 60 });
const anyThresholds = fc.record({ rise: fc.integer({ min: 1, max: 5 }), fall: fc.integer({ min: 1, max: 5 }) });

describe('properties', () => {
  it('agrees with a reading of the whole history', () => {
    fc.assert(
      fc.property(anySteps, anyThresholds, (steps, thresholds) => {
        const history = play(steps.join(''), thresholds);
        history.forEach(({ state }, index) => expect(state).toBe(oracle(steps.slice(0, index + 1), thresholds)));
      }),
      runs(2_000),
    );
  });

  it('never says down without a failure, nor up without a success, as the latest result', () => {
    fc.assert(
      fc.property(anySteps, anyThresholds, (steps, thresholds) => {
        let before: VerdictState = 'unknown';
        play(steps.join(''), thresholds).forEach(({ state }, index) => {
          if (state === 'down' && before !== 'down') expect(steps[index]).toBe('F');
          if (state === 'up' && before !== 'up') expect(steps[index]).toBe('S');
          if (state === 'unknown' && before !== 'unknown') expect(steps[index]).toBe('N');
          before = state;
        });
      }),
      runs(1_000),
    );
  });

  it('moves `since` exactly when the state changes', () => {
    fc.assert(
      fc.property(anySteps, anyThresholds, (steps, thresholds) => {
        let [state, since]: [VerdictState, number] = ['unknown', 0];
        play(steps.join(''), thresholds).forEach((next, index) => {
          if (next.state !== state) since = index + 1;
          state = next.state;
          expect(next.since).toBe(since);
        });
      }),
      runs(1_000),
    );
  });
});
