import type { IpAddress } from '../model/address.ts';
import type { CheckDefinition, VerdictState } from './port.ts';

/*
 * What passes between the runner and a shard, which may live on another thread. Both ends are of one version: nothing
 * here is parsed, and everything survives structured cloning. Numbers stand for what would otherwise be repeated.
 */

/** One verdict that the shard is to form. `id` is never used again for another one. */
export interface JudgeSpec {
  readonly id: number;
  /** Judges with the same number share one probe. */
  readonly probe: number;
  readonly definition: number;
  readonly address: IpAddress;
  /** Where the probe goes: a definition's own port has been applied. */
  readonly port: number;
  readonly rise: number;
  readonly fall: number;
  /** A verdict to go on from; null = none. */
  readonly seed: Seed | null;
}

export interface Seed {
  readonly state: VerdictState;
  readonly since: number;
  readonly cause: string;
  readonly latencyMs: number | null;
  readonly at: number | null;
  /** Whether a result ever counted. */
  readonly judged: boolean;
}

export type ToShard =
  | { readonly kind: 'define'; readonly id: number; readonly definition: CheckDefinition }
  /** No judge needs it any more. */
  | { readonly kind: 'undefine'; readonly id: number }
  | { readonly kind: 'add'; readonly judges: readonly JudgeSpec[] }
  | { readonly kind: 'drop'; readonly judges: readonly number[] }
  | { readonly kind: 'ping' }
  /** The last message: the shard lets go of everything, and its thread ends. */
  | { readonly kind: 'stop' };

/** The newest verdict of a judge: sent when its state changes, with its first result, and in turn every few seconds. */
export interface Notice {
  readonly id: number;
  readonly state: VerdictState;
  readonly since: number;
  readonly cause: string;
  readonly latencyMs: number | null;
  readonly at: number | null;
}

export interface ShardCounts {
  readonly probes: number;
  readonly inFlight: number;
  /** Since the shard started. */
  readonly succeeded: number;
  readonly failed: number;
  readonly notRun: number;
  /** The longest delay of a start since the last report, in milliseconds. */
  readonly worstLateMs: number;
}

export type FromShard =
  | { readonly kind: 'notices'; readonly notices: readonly Notice[] }
  | { readonly kind: 'pong'; readonly counts: ShardCounts }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    };

/** One message carries at most this many judges or notices, so that neither thread stalls over it. */
export const BATCH_LIMIT = 1_000;
