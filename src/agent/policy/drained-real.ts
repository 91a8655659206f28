import type { DesiredService } from './desired-state.ts';
import type { Removal } from './effective-state.ts';
import type { DrainMemory } from './health-memory.ts';
import type { JudgedReal } from './judged-real.ts';
import type { KernelWeights } from './kernel-weights.ts';
import { loweredWeight } from './ramp.ts';

/** What withdrawn routes leave behind arrives for a while yet, and is served meanwhile. */
const WITHDRAWAL_SPREADS_MS = 10_000;

interface DrainedReal {
  readonly weight: number;
  /** null while its weight is on the way down. */
  readonly removal: Removal | null;
  /** null = the kernel could not be read, so that nothing has begun. */
  readonly drain: DrainMemory | null;
  /** Milliseconds until the next step; null = there is none. */
  readonly nextMs: number | null;
  readonly reason: string;
}

/**
 * A real that is drained steps down from the weight that it has, unless it is down and goes at once; at 0 it leaves the
 * kernel gently. One that the kernel does not have has nothing to be drained of, and stays out.
 */
export function drainReal(
  { good, stateReason, routesGoFirst, before, real }: JudgedReal,
  { drain: { overMs } }: DesiredService,
  weights: KernelWeights,
  { now, monotonic }: { readonly now: number; readonly monotonic: number },
): DrainedReal {
  const drain = before?.drain ?? begin(weights.of(real.name), now, monotonic);
  const gone = { weight: 0, removal: 'quiesce', drain, nextMs: null, reason: stateReason } as const;
  if (drain === null || !good) return gone;
  const elapsed = monotonic - drain.startedAt - (routesGoFirst ? WITHDRAWAL_SPREADS_MS : 0);
  const { weight, nextMs, share } = loweredWeight(drain.from, elapsed, overMs);
  if (nextMs === null) return gone;
  const how = elapsed < 0 ? 'the routes go first' : `stepping down: ${Math.round(share * 100)} % of ${drain.from}`;
  return { weight, removal: null, drain, nextMs, reason: `${stateReason}; ${how}` };
}

/** @param inKernel undefined = not there; null = the kernel could not be read */
function begin(inKernel: number | undefined | null, now: number, monotonic: number): DrainMemory | null {
  return inKernel === null ? null : { since: now, startedAt: monotonic, from: inKernel ?? 0 };
}
