import type { Verdict } from '../checks/port.ts';
import type { AdminState } from '../model/records/service.ts';
import type { DesiredReal, DesiredService } from './desired-state.ts';
import type { ActiveDrains } from './drains.ts';
import { describeDrain } from './drains.ts';
import type { RealMemory } from './health-memory.ts';
import { combineVerdicts } from './verdicts.ts';
import type { RealChecks } from './wanted-checks.ts';

/** What is known of one real before its service decides on weights. */
export interface JudgedReal {
  readonly real: DesiredReal;
  readonly state: AdminState;
  /** Why it is not enabled; empty if it is. */
  readonly stateReason: string;
  readonly verdict: Verdict;
  /** The last verdict that was not unknown; null = none yet. */
  readonly decided: 'up' | 'down' | null;
  /** Wall-clock milliseconds since it was decided so. */
  readonly decidedSince: number;
  /** Without a verdict so far, so what counts is what the policy or the kernel says. */
  readonly undecided: boolean;
  /** It may take traffic: up, or presumed to be. */
  readonly good: boolean;
  readonly before: RealMemory | null;
}

export interface JudgeInput {
  readonly checks: RealChecks;
  readonly drains: ActiveDrains;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/** @param inKernel it has a weight in the kernel now, under some kernel service */
export function judgeReal(
  service: DesiredService,
  real: DesiredReal,
  before: RealMemory | null,
  inKernel: boolean,
  input: JudgeInput,
): JudgedReal {
  const { state, reason } = adminState(service, real, input.drains);
  if (state === 'disabled') {
    const since = before?.since ?? input.now;
    const verdict: Verdict = { state: 'unknown', since, cause: 'disabled: not checked', latencyMs: null, at: null };
    return {
      real,
      state,
      stateReason: reason,
      verdict,
      decided: null,
      decidedSince: since,
      undecided: false,
      good: false,
      before,
    };
  }
  const verdict = verdictOf(service, real, before, input);
  const changed = verdict.state !== 'unknown';
  const decided = verdict.state === 'unknown' ? (before?.decided ?? null) : verdict.state;
  const undecided = decided === null;
  const presumed = service.health.initial === 'up' || inKernel;
  return {
    real,
    state,
    stateReason: reason,
    verdict,
    decided,
    decidedSince: changed ? verdict.since : (before?.since ?? input.now),
    undecided,
    good: undecided ? presumed : decided === 'up',
    before,
  };
}

function verdictOf(service: DesiredService, real: DesiredReal, before: RealMemory | null, input: JudgeInput): Verdict {
  const verdicts = input.checks.of(service, real).map(({ check, wanted }) => ({
    check,
    verdict: input.verdicts.get(wanted.key) ?? null,
  }));
  const since = before?.since ?? input.now;
  if (verdicts.length === 0 && real.checks.length > 0) {
    return { state: 'unknown', since, cause: 'there is no port to probe', latencyMs: null, at: null };
  }
  return combineVerdicts(verdicts, since);
}

function adminState(
  service: DesiredService,
  real: DesiredReal,
  drains: ActiveDrains,
): { readonly state: AdminState; readonly reason: string } {
  if (service.state === 'disabled') return { state: 'disabled', reason: 'its service is disabled' };
  if (real.state === 'disabled') return { state: 'disabled', reason: 'disabled by its record' };
  const drain = drains.ofReal(service.name, real.name);
  if (drain !== undefined) return { state: 'drain', reason: describeDrain(drain) };
  if (real.state === 'drain') return { state: 'drain', reason: 'drained by its record' };
  const serviceDrain = drains.ofService(service.name);
  if (serviceDrain !== undefined) return { state: 'drain', reason: `its service is ${describeDrain(serviceDrain)}` };
  if (service.state === 'drain') return { state: 'drain', reason: 'its service is drained by its record' };
  return { state: 'enabled', reason: '' };
}
