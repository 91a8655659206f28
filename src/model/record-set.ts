import type { ApprovalRecord, DrainRecord } from './records/drain.ts';
import type { CheckDefinition } from './check-definition.ts';
import type { Problem } from './problem.ts';
import type { RealRecord } from './records/real.ts';
import type { ServiceRecord } from './records/service.ts';
import type { VipRecord } from './records/vip.ts';

/** A record as it came from the store; the sources' StoreRecord has this shape. */
export interface RawRecord {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly created: bigint;
  readonly modified: bigint;
}

/** One valid record, with where and when it came from. */
export interface Decoded<T> {
  readonly name: string;
  readonly path: string;
  readonly value: T;
  readonly created: bigint;
  readonly modified: bigint;
}

/** Agent records are patches (RFC 7396): they are validated after the merge, so here they are plain objects. */
export type AgentPatch = Record<string, unknown>;

/**
 * The valid records of a snapshot, by name. A record that is bad now but was good before is here in its last good
 * version; one that was never good is not here.
 */
export interface RecordSet {
  readonly vips: ReadonlyMap<string, Decoded<VipRecord>>;
  readonly services: ReadonlyMap<string, Decoded<ServiceRecord>>;
  /** Service name → real name → record. Reals whose service is missing are not here. */
  readonly reals: ReadonlyMap<string, ReadonlyMap<string, Decoded<RealRecord>>>;
  readonly checks: ReadonlyMap<string, Decoded<CheckDefinition>>;
  readonly agents: ReadonlyMap<string, Decoded<AgentPatch>>;
  readonly drains: ReadonlyMap<string, Decoded<DrainRecord>>;
  /** By revision, "sha256:…". */
  readonly approvals: ReadonlyMap<string, Decoded<ApprovalRecord>>;
}

export interface DecodeOutcome {
  readonly records: RecordSet;
  readonly problems: readonly Problem[];
  /**
   * For every record in `records`, the raw record that it was read from: what the last-known-good file keeps, and
   * what the next call takes as `previous`.
   */
  readonly good: ReadonlyMap<string, RawRecord>;
  /** Revision of what the store holds, good and bad. */
  readonly revision: string;
  /**
   * Services of which a record came, went or changed since the call before, or is bad; null = other records did, on
   * which any service may depend, or `previous` is not of that call. Drains and approvals do not count: no service is
   * made of them.
   */
  readonly touched: ReadonlySet<string> | null;
}
