import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import { applyToState } from '../../../src/agent/policy/kernel-state.ts';
import { plan } from '../../../src/agent/policy/plan.ts';
import { median } from '../numbers.ts';
import { EDITED_SERVICE, fullPlan, REALS_PER_SERVICE, wanted } from './workload.ts';

const SERVICES = 1_000;
const ROUNDS = 7;

export interface LargePlan {
  readonly reals: number;
  /** Nothing is known of an earlier plan: every real is compared. */
  readonly wholeMs: number;
  /** What the plan before found in order is not looked into again. */
  readonly settledMs: number;
}

/** A plan for 100,000 reals of which one has another weight, on this machine. */
export function largePlan(): LargePlan {
  const before = wanted(1, SERVICES);
  const actual = applyToState(new Map(), fullPlan(SERVICES));
  const rest = { actual, activityAt: 0, previous: null, drainTimeoutMs: 60_000, now: 1 };
  const adopted = plan({ effective: before, journal: emptyJournal, ...rest });
  const edited = wanted(2, SERVICES);
  // As the agent decides: what an edit leaves alone is the very same object.
  const kernel = new Map(
    Array.from(edited.kernel, ([key, service], index) => {
      return [key, index === EDITED_SERVICE ? service : (before.kernel.get(key) ?? service)];
    }),
  );
  const input = { effective: { ...edited, kernel }, journal: adopted.journal, ...rest };
  return {
    reals: SERVICES * REALS_PER_SERVICE,
    wholeMs: timed(() => plan(input).ops.length),
    settledMs: timed(() => plan({ ...input, settled: adopted.settled }).ops.length),
  };
}

function timed(work: () => number): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    if (work() !== 1) throw new Error('not so: one operation is planned');
    return performance.now() - start;
  });
  return median(times);
}
