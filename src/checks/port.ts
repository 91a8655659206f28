import type { Unsubscribe } from '../core/ports.ts';
import type { IpAddress } from '../model/address.ts';
import type { CheckDefinition } from '../model/check-definition.ts';

export type { CheckDefinition } from '../model/check-definition.ts';

/** Where a probe goes and what it does: the third identity of the design, shared by any number of services. */
export interface ProbeTarget {
  readonly address: IpAddress;
  readonly port: number;
  /** A check definition as its schema normalised it, every default filled in; `type` names the check type. */
  readonly definition: CheckDefinition;
}

/** One verdict that somebody wants: a probe target, judged with these thresholds. */
export interface WantedCheck {
  /** Unique for (target, rise, fall); chosen by the caller, stable over restarts. */
  readonly key: string;
  readonly target: ProbeTarget;
  /** Consecutive successes before up. */
  readonly rise: number;
  /** Consecutive failures before down. */
  readonly fall: number;
}

export type VerdictState = 'up' | 'down' | 'unknown';

export interface Verdict {
  readonly state: VerdictState;
  /** Wall-clock milliseconds of the last change of `state`. */
  readonly since: number;
  /** Why: the last result that counted, in words ("status 503, wanted 200-299"). */
  readonly cause: string;
  /** Duration of the last probe that finished, null before the first. */
  readonly latencyMs: number | null;
  /** Wall-clock milliseconds of the last probe that finished, null before the first. */
  readonly at: number | null;
}

/** Verdicts by key; a map is one. */
export interface Verdicts extends Iterable<readonly [string, Verdict]> {
  get(key: string): Verdict | undefined;
}

/** Which verdicts are others than at an earlier moment. */
export interface VerdictChanges {
  /** This moment, to ask from the next time. */
  readonly mark: number;
  /** Keys of verdicts that are new or gone, or have another state, since or cause; null = any may have. */
  readonly keys: ReadonlySet<string> | null;
}

/** The port to the checks, whichever thread they run on. */
export interface CheckRunner {
  /**
   * Replaces the whole wanted set. Checks whose key stays keep running and keep their state; new ones start at once,
   * spread by jitter. `restored` seeds verdicts for keys that were not wanted before (health kept over a restart).
   */
  setWanted(checks: readonly WantedCheck[], restored?: Verdicts): void;
  /** Current verdicts by key; a wanted check without a result yet is 'unknown'. They go on with the probes. */
  verdicts(): Verdicts;
  /** What in them changed since an earlier answer; null = since the start. Figures of the last probe do not count. */
  changes(since: number | null): VerdictChanges;
  /** Called after one or more verdicts changed state; carries no data. */
  onChange(poke: () => void): Unsubscribe;
  /** True once every wanted check has a verdict other than its first 'unknown' or has finished one probe. */
  settled(): boolean;
  close(): Promise<void>;
}
