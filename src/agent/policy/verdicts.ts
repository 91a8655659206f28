import type { Verdict } from '../../checks/port.ts';

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
export function combineVerdicts(verdicts: readonly NamedVerdict[], noChecksSince: number): Verdict {
  if (verdicts.length === 0) {
    return { state: 'up', since: noChecksSince, cause: 'there are no checks', latencyMs: null, at: null };
  }
  const known = verdicts.map(({ check, verdict }) => ({ check, verdict: verdict ?? notYet(noChecksSince) }));
  for (const state of ['down', 'unknown'] as const) {
    const those = known.filter(({ verdict }) => verdict.state === state);
    const [first] = those;
    if (first === undefined) continue;
    const since = Math.min(...those.map(({ verdict }) => verdict.since));
    return { ...first.verdict, since, cause: `${first.check}: ${first.verdict.cause}` };
  }
  // Up since the last of them came up, and as slow as the slowest.
  const since = Math.max(...known.map(({ verdict }) => verdict.since));
  const [first, ...others] = known.map(({ check, verdict }) => `${check}: ${verdict.cause}`);
  const latencies = known.flatMap(({ verdict }) => (verdict.latencyMs === null ? [] : [verdict.latencyMs]));
  const times = known.flatMap(({ verdict }) => (verdict.at === null ? [] : [verdict.at]));
  return {
    state: 'up',
    since,
    cause: others.length === 0 ? (first ?? '') : `${first ?? ''}, and ${others.length} more`,
    latencyMs: latencies.length === 0 ? null : Math.max(...latencies),
    at: times.length === 0 ? null : Math.max(...times),
  };
}

function notYet(since: number): Verdict {
  return { state: 'unknown', since, cause: 'not checked yet', latencyMs: null, at: null };
}
