/** A pooled real (enabled, not drained, with a weight) as the floor sees it. */
export interface FloorCandidate {
  readonly name: string;
  /** It is in the pool by itself. */
  readonly isIn: boolean;
  /** It is down, so the floor may keep it. */
  readonly isDown: boolean;
  /** The floor kept it in the pass before. */
  readonly wasKept: boolean;
  /** Wall-clock milliseconds since when it is down. */
  readonly since: number;
}

/**
 * The reals that stay in the pool although they are down, so that at least `floor` of the pooled ones are in: those
 * that were kept before, so that traffic does not wander, then those that went down last.
 */
export function keptByFloor(floor: number, pooled: readonly FloorCandidate[]): ReadonlySet<string> {
  // 0.1 × 30 is a little more than 3 in binary; that is not meant to be 4 reals.
  const least = Math.ceil(floor * pooled.length - 1e-9);
  const missing = least - pooled.filter(({ isIn }) => isIn).length;
  if (missing <= 0) return new Set();
  const candidates = pooled.filter(({ isIn, isDown }) => !isIn && isDown);
  candidates.sort(byClaim);
  return new Set(candidates.slice(0, missing).map(({ name }) => name));
}

function byClaim(a: FloorCandidate, b: FloorCandidate): number {
  if (a.wasKept !== b.wasKept) return a.wasKept ? -1 : 1;
  if (a.since !== b.since) return b.since - a.since;
  return a.name < b.name ? -1 : 1;
}
