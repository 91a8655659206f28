import type { Verdict, Verdicts, WantedCheck } from '../../checks/port.ts';
import type { RealVerdict } from './effective-state.ts';

export interface NamedVerdict {
  /** Name of the check. */
  readonly check: string;
  /** null = the check has not been heard of yet. */
  readonly verdict: Verdict | null;
}

/**
 * The verdict on a real from those of its checks: down if one says down, else unknown if one does not know, else up.
 * A real without checks is up, since `noChecksSince`.
 */
export function combineVerdicts(verdicts: readonly NamedVerdict[], noChecksSince: number): RealVerdict {
  if (verdicts.length === 0) return { state: 'up', since: noChecksSince, cause: 'there are no checks' };
  const known = verdicts.map(({ check, verdict }) => ({ check, verdict: verdict ?? notYet(noChecksSince) }));
  for (const state of ['down', 'unknown'] as const) {
    const those = known.filter(({ verdict }) => verdict.state === state);
    const [first] = those;
    if (first === undefined) continue;
    const since = Math.min(...those.map(({ verdict }) => verdict.since));
    return { state, since, cause: `${first.check}: ${first.verdict.cause}` };
  }
  // Up since the last of them came up.
  const since = Math.max(...known.map(({ verdict }) => verdict.since));
  const [first, ...others] = known.map(({ check, verdict }) => `${check}: ${verdict.cause}`);
  return {
    state: 'up',
    since,
    cause: others.length === 0 ? (first ?? '') : `${first ?? ''}, and ${others.length} more`,
  };
}

/** Milliseconds that the last probes of a real took, of several the slowest; null = none has finished yet. */
export function latencyOf(
  checks: readonly { readonly wanted: Pick<WantedCheck, 'key'> }[],
  verdicts: Verdicts,
): number | null {
  let slowest: number | null = null;
  for (const { wanted } of checks) {
    const latencyMs = verdicts.get(wanted.key)?.latencyMs ?? null;
    if (latencyMs !== null && (slowest === null || latencyMs > slowest)) slowest = latencyMs;
  }
  return slowest;
}

function notYet(since: number): RealVerdict {
  return { state: 'unknown', since, cause: 'not checked yet' };
}
