import type { ProbeOutcome } from './outcome.ts';
import { formatMs } from './outcome.ts';
import type { Verdict, VerdictState } from './port.ts';

type Heard = Exclude<ProbeOutcome, { kind: 'notRun' }>;

/**
 * What a verdict says, and what it takes to form the next one. Immutable, and the very same object for as long as the
 * results say the same: the figures of the last probe, which are others each time, are not in it.
 */
export interface Judgement extends Pick<Verdict, 'state' | 'since' | 'cause'> {
  /** The last result that counted, and its cause without the latency; null before the first. */
  readonly said: Heard['kind'] | null;
  readonly saidWhy: string;
  /** Results in a row that said so, as far as they are needed. */
  readonly row: number;
  /** Probes in a row that could not be run. */
  readonly notRun: number;
  /** False until the first result that counts. */
  readonly judged: boolean;
}

export interface Thresholds {
  readonly rise: number;
  readonly fall: number;
}

/** Probes in a row that could not be run before a verdict becomes unknown; `fall` if that is more. */
export const NOT_RUN_LIMIT = 3;

/** The verdict of a check that has no result yet. */
export function firstVerdict(now: number): Verdict {
  return { state: 'unknown', since: now, cause: 'no result yet', latencyMs: null, at: null };
}

/**
 * Goes on from a verdict that was reached earlier, or from the first one.
 * @param judged whether a result ever counted; without it the next result decides alone
 */
export function judgementFrom({ state, since, cause }: Verdict, judged: boolean): Judgement {
  return { state, since, cause, said: null, saidWhy: '', row: 0, notRun: 0, judged };
}

/**
 * The verdict after one more probe.
 *
 * The very first result decides alone, whatever `rise` and `fall` say: a restart must not keep good reals out for
 * rise × interval, and a real that was never up has nothing to be protected from. From then on up needs `rise`
 * successes in a row and down `fall` failures in a row. A probe that could not be run counts for nothing and breaks no
 * row; after several of them nobody knows any more, and the verdict says so, but it never says down.
 * @param now wall-clock milliseconds
 */
export function judge(before: Judgement, outcome: ProbeOutcome, thresholds: Thresholds, now: number): Judgement {
  if (outcome.kind === 'notRun') return judgeNotRun(before, outcome.cause, thresholds, now);
  const says: VerdictState = outcome.kind === 'success' ? 'up' : 'down';
  const wanted = says === 'up' ? thresholds.rise : thresholds.fall;
  const row = before.said === outcome.kind ? Math.min(before.row + 1, wanted) : 1;
  const isSame = saysTheSame(before, outcome);
  // A row that is as long as it can be has decided already.
  if (isSame && row === before.row) return before;
  const needed = before.judged ? wanted : 1;
  const changes = says !== before.state && row >= needed;
  const progress = says === before.state || changes ? '' : ` (${outcome.kind} ${row} of ${needed})`;
  return {
    state: changes ? says : before.state,
    since: changes ? now : before.since,
    // Same result for the same reason: the words stay, latency and all, so that a quiet real makes no noise.
    cause: isSame && says === before.state ? before.cause : causeOf(outcome) + progress,
    said: outcome.kind,
    saidWhy: outcome.cause,
    row,
    notRun: 0,
    judged: true,
  };
}

function saysTheSame(before: Judgement, { kind, cause }: Heard): boolean {
  return before.said === kind && before.saidWhy === cause && before.notRun === 0;
}

function causeOf({ kind, cause, latencyMs }: Heard): string {
  return kind === 'success' ? `${cause} in ${formatMs(latencyMs)}` : cause;
}

function judgeNotRun(before: Judgement, why: string, { fall }: Thresholds, now: number): Judgement {
  const notRun = before.notRun + 1;
  if (before.state !== 'unknown' && notRun < Math.max(fall, NOT_RUN_LIMIT)) return { ...before, notRun };
  const since = before.state === 'unknown' ? before.since : now;
  return { ...before, state: 'unknown', since, cause: `not run: ${why}`, notRun };
}
