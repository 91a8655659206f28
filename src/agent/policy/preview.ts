import type { Verdict } from '../../checks/port.ts';
import type { DataplaneState } from '../../ipvs/dataplane.ts';
import type { RecordDecoder } from '../../model/decode.ts';
import type { Problem } from '../../model/problem.ts';
import type { RawRecord } from '../../model/record-set.ts';
import type { Desired } from './desired-state.ts';
import { desiredState } from './desired.ts';
import { effectOf } from './effect.ts';
import type { Effect, Footing } from './effect.ts';
import { effectiveState } from './effective.ts';
import { approvalsOf, guard, isEmpty } from './guard.ts';
import type { GuardWindow } from './guard-window.ts';
import type { Hold } from './guard.ts';
import { emptyMemory } from './health-memory.ts';
import { emptyJournal } from './journal.ts';
import { applyToState } from './kernel-state.ts';
import { plan } from './plan.ts';
import { prepare } from './prepared.ts';
import { wantedChecks } from './wanted-checks.ts';

/** Where an agent stands before a change. */
export interface Baseline {
  /** null = it has never accepted anything. */
  readonly accepted: Desired | null;
  /** The good records behind it. */
  readonly good: ReadonlyMap<string, RawRecord>;
  readonly window: GuardWindow | null;
  readonly hold: Hold | null;
}

export const noBaseline: Baseline = { accepted: null, good: new Map(), window: null, hold: null };

export interface Preview {
  /** Of the records after the change: what an approval would name. */
  readonly revision: string;
  /** What the agent would find wrong. */
  readonly problems: readonly Problem[];
  /** What would happen as soon as the change is in the store. */
  readonly effect: Effect;
  readonly hold: Hold | null;
  /** What the whole change would do, once its hold is approved; null = nothing would be held. */
  readonly ifApproved: Effect | null;
}

export interface PreviewInput {
  readonly agent: string;
  readonly baseline: Baseline;
  /** Everything under config/ after the change. */
  readonly records: ReadonlyMap<string, RawRecord>;
  readonly decoder: RecordDecoder;
  /** Wall-clock milliseconds: drains end, and the guard's window slides. */
  readonly now: number;
}

/**
 * What a change of the records would do to one agent, found by the functions that the agent itself decides with. Every
 * check is taken for passed, so that only the change shows and not what happens to be down.
 */
export function preview({ agent, baseline, records, decoder, now }: PreviewInput): Preview {
  const { accepted, good, window, hold } = baseline;
  const decoded = decoder.decode(records, good);
  const built = desiredState(decoded.records, agent, accepted, decoded.revision);
  const candidate = built.desired;
  const outcome = guard({
    accepted,
    candidate,
    rootExists: true,
    empty: isEmpty(decoded.records),
    approvals: approvalsOf(decoded.records),
    window,
    hold,
    settled: true,
    now,
  });
  const before = footingOf(accepted ?? nothingOf(candidate), now);
  const effectUpTo = (desired: Desired): Effect => effectOf(before, footingOf(desired, now), now);
  return {
    revision: decoded.revision,
    problems: [...decoded.problems, ...built.problems],
    effect: effectUpTo(outcome.accepted),
    hold: outcome.hold,
    ifApproved: outcome.hold === null ? null : effectUpTo(candidate),
  };
}

/** What an agent would accept that has never seen other records than these: for one whose memory is not at hand. */
export function baselineOf(
  records: ReadonlyMap<string, RawRecord>,
  agent: string,
  decoder: RecordDecoder,
  now: number,
): Baseline {
  const decoded = decoder.decode(records, new Map());
  if (isEmpty(decoded.records)) return noBaseline;
  const { desired } = desiredState(decoded.records, agent, null, decoded.revision);
  const { accepted, window } = guard({
    accepted: null,
    candidate: desired,
    rootExists: true,
    empty: false,
    approvals: new Map(),
    window: null,
    hold: null,
    settled: true,
    now,
  });
  return { accepted, good: decoded.good, window, hold: null };
}

function nothingOf(desired: Desired): Desired {
  return { ...desired, services: {}, vips: {}, checks: {}, drains: {}, agent: { ...desired.agent, bgp: null } };
}

/** Monotonic milliseconds by which every ramp has ended. */
const AFTER_RAMPS = Number.MAX_SAFE_INTEGER;

/** A configuration at rest: every real up, every ramp over, and the kernel as it should be. */
function footingOf(desired: Desired, now: number): Footing {
  const verdicts = new Map(wantedChecks(prepare(desired)).map(({ key }) => [key, passed(now)]));
  const common = { prepared: prepare(desired), verdicts, actual: null, now };
  const start = effectiveState({ ...common, memory: emptyMemory, monotonic: 0 });
  const { effective } = effectiveState({ ...common, memory: start.memory, monotonic: AFTER_RAMPS });
  const empty: DataplaneState = new Map();
  const { ops, journal } = plan({
    effective,
    actual: empty,
    activityAt: now,
    journal: emptyJournal,
    previous: null,
    drainTimeoutMs: 0,
    now,
  });
  return { desired, effective, journal, kernel: applyToState(empty, ops) };
}

function passed(now: number): Verdict {
  return { state: 'up', since: now, cause: 'taken for passed', latencyMs: null, at: now };
}
