import type { Verdicts } from '../../checks/port.ts';
import type { SharedTexts } from '../../core/shared-texts.ts';
import type { AdminState } from '../../model/records/service.ts';
import type { DesiredReal, DesiredService } from './desired-state.ts';
import type { ActiveDrains } from './drains.ts';
import { describeDrain, describeWholeDrain } from './drains.ts';
import type { RealVerdict } from './effective-state.ts';
import type { RealMemory } from './health-memory.ts';
import type { PreparedReal } from './prepared.ts';
import type { RealCheck } from './real-checks.ts';
import { combineVerdicts } from './verdicts.ts';

/** What is known of one real before its service decides on weights. */
export interface JudgedReal {
  readonly real: DesiredReal;
  readonly checks: readonly RealCheck[];
  readonly target: string;
  readonly memoryKey: string;
  readonly state: AdminState;
  /** Why it is not enabled; empty if it is. */
  readonly stateReason: string;
  /** A drain of its VIP or of the agent: the routes go first, and the weight follows when that has spread. */
  readonly routesGoFirst: boolean;
  readonly verdict: RealVerdict;
  /** The last verdict that was not unknown; null = none yet. */
  readonly decided: 'up' | 'down' | null;
  /** Wall-clock milliseconds since it was decided so. */
  readonly decidedSince: number;
  /** Without a verdict so far, so what counts is what the policy or the kernel says. */
  readonly undecided: boolean;
  /** See RealMemory. */
  readonly presumed: boolean | null;
  /** It may take traffic: up, or presumed to be. */
  readonly good: boolean;
  readonly before: RealMemory | null;
}

export interface JudgeInput {
  /** Name of this agent. */
  readonly agent: string;
  readonly drains: ActiveDrains;
  readonly verdicts: Verdicts;
  /** Causes are the same for thousands of reals. */
  readonly texts: SharedTexts;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/**
 * Before its first verdict, a real that the kernel has is what it is there, so that a restart which knows nothing
 * changes nothing; any other is what the policy says.
 * @param kernelWeight its largest weight in the kernel; undefined = not there; null = the kernel could not be read
 * @param known its verdict, if that is known to be the one of the pass before
 */
export function judgeReal(
  service: DesiredService,
  prepared: PreparedReal,
  before: RealMemory | null,
  kernelWeight: () => number | undefined | null,
  input: JudgeInput,
  known?: RealVerdict,
): JudgedReal {
  const { real, checks, target, memoryKey } = prepared;
  const admin = adminState(service, real, input);
  const { state, reason: stateReason, routesGoFirst } = admin;
  const since = before?.since ?? input.now;
  const isChecked = state !== 'disabled';
  const verdict = isChecked ? (known ?? verdictOf(prepared, since, input)) : unknown('disabled: not checked', since);
  const isNews = verdict.state !== 'unknown';
  const decided = verdict.state !== 'unknown' ? verdict.state : isChecked ? (before?.decided ?? null) : null;
  const undecided = isChecked && decided === null;
  const drained = state === 'drain' || (before?.drain ?? null) !== null;
  const presumed = undecided ? (before?.presumed ?? presume(kernelWeight(), service, drained)) : null;
  return {
    real,
    checks,
    target,
    memoryKey,
    state,
    stateReason,
    routesGoFirst,
    verdict,
    decided,
    decidedSince: isNews ? verdict.since : since,
    undecided,
    presumed,
    good: undecided ? (presumed ?? service.health.initial === 'up') : decided === 'up',
    before,
  };
}

/** A weight of 0 says nothing against a real that is drained: it would stay at 0 when the drain is over. */
function presume(kernelWeight: number | undefined | null, service: DesiredService, drained: boolean): boolean | null {
  if (kernelWeight === null) return null;
  if (kernelWeight === undefined || (drained && kernelWeight === 0)) return service.health.initial === 'up';
  return kernelWeight > 0;
}

function verdictOf({ real, checks }: PreparedReal, since: number, { verdicts, texts }: JudgeInput): RealVerdict {
  if (checks.length === 0 && real.checks.length > 0) return unknown('there is no port to probe', since);
  const [only] = checks;
  if (only === undefined || checks.length > 1) {
    const all = checks.map(({ check, wanted }) => ({ check, verdict: verdicts.get(wanted.key) ?? null }));
    return combineVerdicts(all, since);
  }
  // One check is the rule, and there are many reals.
  const { state, since: own, cause } = verdicts.get(only.wanted.key) ?? unknown('not checked yet', since);
  return { state, since: own, cause: texts.of(`${only.check}: ${cause}`) };
}

function unknown(cause: string, since: number): RealVerdict {
  return { state: 'unknown', since, cause };
}

function adminState(
  service: DesiredService,
  real: DesiredReal,
  { drains, agent }: JudgeInput,
): { readonly state: AdminState; readonly reason: string; readonly routesGoFirst: boolean } {
  const decided = (state: AdminState, reason: string) => ({ state, reason, routesGoFirst: false });
  if (service.state === 'disabled') return decided('disabled', 'its service is disabled');
  if (real.state === 'disabled') return decided('disabled', 'disabled by its record');
  const drain = drains.ofReal(service.name, real.name);
  if (drain !== undefined) return decided('drain', describeDrain(drain));
  if (real.state === 'drain') return decided('drain', 'drained by its record');
  if (service.state === 'drain') return decided('drain', 'its service is drained by its record');
  const whole = drains.ofService(service, agent);
  if (whole === undefined) return decided('enabled', '');
  return { state: 'drain', reason: describeWholeDrain(whole), routesGoFirst: whole.by !== 'service' };
}
