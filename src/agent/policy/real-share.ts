import type { DesiredService } from './desired-state.ts';
import { drainReal } from './drained-real.ts';
import type { Removal } from './effective-state.ts';
import type { DrainMemory } from './health-memory.ts';
import type { JudgedReal } from './judged-real.ts';
import type { KernelWeights } from './kernel-weights.ts';
import { rampedWeight } from './ramp.ts';

/** What one real gets in every kernel service of its service. */
export interface Share {
  readonly judged: JudgedReal;
  /** null = what the kernel has, or else the configured one. */
  readonly weight: number | null;
  /** The largest weight that it has in the kernel now. */
  readonly inKernel: number;
  /** How it leaves the kernel; null = it stays in. */
  readonly removal: Removal | null;
  readonly kept: boolean;
  readonly rampStart: number | null;
  readonly drain: DrainMemory | null;
  readonly nextMs: number | null;
  readonly reason: string;
}

/**
 * @param kept the floor holds it
 * @param sorry the sorry server has the traffic
 */
export function shareOf(
  judged: JudgedReal,
  service: DesiredService,
  kept: boolean,
  sorry: boolean,
  weights: KernelWeights,
  time: { readonly now: number; readonly monotonic: number },
): Share {
  const { real, state, stateReason, verdict, undecided, good, before } = judged;
  if (state === 'disabled') return { ...without(judged, stateReason), removal: 'quiesce' };
  if (state === 'drain') return { ...without(judged, ''), ...drainReal(judged, service, weights, time) };
  const removal = service.health.whenDown === 'remove' ? ('now' as const) : null;
  if (!undecided && !good && !kept) return { ...without(judged, `down: ${verdict.cause}`), removal };
  if (real.weight === 0) return without(judged, 'its weight is 0');
  if (sorry) return without(judged, 'the quorum is lost: the sorry server has the traffic');
  if (kept) return { ...withWeight(judged, `kept by the floor, though ${verdict.cause}`), kept: true };
  if (undecided) {
    const known = weights.of(real.name) ?? undefined;
    const inKernel = known ?? 0;
    const why = `no verdict yet: ${verdict.cause}`;
    if (!good) return { ...without(judged, why), removal: known === undefined ? removal : null };
    const stays = `${why}; weight ${inKernel} stays as it is`;
    if (inKernel > 0) return { ...without(judged, stays), weight: null, inKernel };
  }
  const wasIn = before === null ? (weights.of(real.name) ?? 0) > 0 : before.inPool;
  const rampStart = wasIn ? (before?.rampStart ?? null) : time.monotonic;
  const { slowStartMs } = service.health;
  if (rampStart !== null && slowStartMs > 0) {
    const ramp = rampedWeight(real.weight, time.monotonic - rampStart, slowStartMs);
    if (ramp.nextMs !== null) {
      const reason = `ramping up: ${Math.round(ramp.share * 100)} % of ${real.weight}`;
      return { ...withWeight(judged, reason), weight: ramp.weight, rampStart, nextMs: ramp.nextMs };
    }
  }
  return withWeight(judged, upReason(judged));
}

function upReason({ verdict, undecided }: JudgedReal): string {
  if (verdict.state === 'up') return `up: ${verdict.cause}`;
  if (undecided) return `no verdict yet: taken for up (${verdict.cause})`;
  return `last known up; now unknown: ${verdict.cause}`;
}

function without(judged: JudgedReal, reason: string): Share {
  return { ...withWeight(judged, reason), weight: 0 };
}

/** Written out: an edit decides on a hundred reals, and putting this together from parts costs more than all the rest. */
function withWeight(judged: JudgedReal, reason: string): Share {
  return {
    judged,
    weight: judged.real.weight,
    inKernel: 0,
    removal: null,
    kept: false,
    rampStart: null,
    drain: null,
    nextMs: null,
    reason,
  };
}
