/** A ramp is climbed in this many steps: each is one edit in the kernel. */
const STEPS = 10;

export interface Ramp {
  readonly weight: number;
  /** Milliseconds until the next step; null = the top is reached. */
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
