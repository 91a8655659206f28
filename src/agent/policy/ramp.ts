/** A ramp is climbed in this many steps: each is one edit in the kernel. */
const STEPS = 10;

export interface Ramp {
  readonly weight: number;
  /** Milliseconds until the next step; null = the end is reached. */
  readonly nextMs: number | null;
  /** 0 to 1. */
  readonly share: number;
}

/** The weight of a real that came up `elapsedMs` ago: in steps from (nearly) nothing, at least 1, to its full weight. */
export function rampedWeight(weight: number, elapsedMs: number, slowStartMs: number): Ramp {
  const elapsed = Math.max(0, elapsedMs);
  if (elapsed >= slowStartMs) return { weight, nextMs: null, share: 1 };
  const step = Math.floor((elapsed / slowStartMs) * STEPS);
  const ramped = Math.max(1, Math.round((weight * step) / STEPS));
  return {
    weight: Math.min(weight, ramped),
    nextMs: Math.max(1, ((step + 1) * slowStartMs) / STEPS - elapsed),
    share: step / STEPS,
  };
}

/** The reverse, for a real that leaves: from its full weight in steps to 0, which is at least 1 until the time is over. */
export function loweredWeight(weight: number, elapsedMs: number, overMs: number): Ramp {
  if (weight === 0 || elapsedMs >= overMs) return { weight: 0, nextMs: null, share: 0 };
  if (elapsedMs < 0) return { weight, nextMs: -elapsedMs, share: 1 };
  const step = Math.floor((elapsedMs / overMs) * STEPS);
  return {
    weight: Math.max(1, Math.round((weight * (STEPS - step)) / STEPS)),
    nextMs: Math.max(1, ((step + 1) * overMs) / STEPS - elapsedMs),
    share: (STEPS - step) / STEPS,
  };
}
