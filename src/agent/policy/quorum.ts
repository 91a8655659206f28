import type { DesiredQuorum } from './desired-state.ts';
import type { EffectiveQuorum } from './effective-state.ts';

/** A real as the quorum counts it: its configured weight, whatever a ramp makes of it. */
export interface QuorumVoter {
  readonly weight: number;
  /** Up (or, before the first verdict, in the pool already), enabled and not drained. */
  readonly counts: boolean;
}

/**
 * Gained at q+h, lost below q-h. Nothing up holds no quorum, even where the hysteresis is as large as the quorum.
 * A real of weight 0 takes no new connections, so it does not count either.
 */
export function judgeQuorum(
  quorum: DesiredQuorum,
  voters: readonly QuorumVoter[],
  before: Pick<EffectiveQuorum, 'state' | 'since'> | null,
  now: number,
): EffectiveQuorum {
  const { unit, value, hysteresis } = quorum;
  let have = 0;
  for (const { weight, counts } of voters) if (counts && weight > 0) have += unit === 'weight' ? weight : 1;
  const gainAt = value + hysteresis;
  const loseBelow = Math.max(value - hysteresis, 1);
  const was = before?.state ?? 'lost';
  const state = was === 'lost' ? (have >= gainAt ? 'held' : 'lost') : have < loseBelow ? 'lost' : 'held';
  const what = unit === 'weight' ? `weight ${have} is up` : `${have} ${have === 1 ? 'real is' : 'reals are'} up`;
  const rule = state === 'held' ? `lost below ${loseBelow}` : `gained at ${gainAt}`;
  const since = before?.state === state ? before.since : now;
  return { state, since, cause: `${what}; ${rule}` };
}
