import type { CodedError } from '../core/errors.ts';
import type { Unsubscribe } from '../core/ports.ts';
import type { Result } from '../core/result.ts';

/** One record as the store holds it. Paths are relative to the root, without a leading slash: 'config/vips/web'. */
export interface StoreRecord {
  readonly path: string;
  /** Empty = a folder. */
  readonly bytes: Uint8Array;
  /** Creation revision (czxid, create_revision, birth time): orders records in conflicts. */
  readonly created: bigint;
  /** Revision of the last change (mzxid, mod_revision): for compare-and-set, and shown in causes. */
  readonly modified: bigint;
}

/** A consistent picture of everything under `config/`. */
export interface StoreSnapshot {
  /** The store's own position, for people: "zxid 0x100000012", "revision 4711". */
  readonly position: string;
  /** False: the root itself does not exist, which means "wait" and never "empty". */
  readonly rootExists: boolean;
  readonly records: ReadonlyMap<string, StoreRecord>;
  /** True: read from a member that has lost its ensemble and may lag behind what was read before. */
  readonly mayBeOld?: boolean;
}

export type SessionState =
  /**
   * Not connected yet, or reconnecting within the session or lease; also at a member that has lost its ensemble, which
   * may be read but holds no session for us.
   */
  | { readonly kind: 'connecting'; readonly since: number; readonly lastError: string | null }
  | { readonly kind: 'connected'; readonly since: number; readonly session: string; readonly server: string }
  | { readonly kind: 'closed' };

/** Whom the store holds responsible for an ephemeral record. */
export interface EphemeralOwner {
  readonly session: string;
  readonly bytes: Uint8Array;
}

/**
 * The agent's port to its store. Everything here survives a lost store: `snapshot` fails with a coded error,
 * `publish` is remembered, and the source goes on reconnecting by itself until it is closed.
 */
export interface Source {
  /** 'zookeeper', 'etcd' or 'directory'. */
  readonly name: string;
  /** Starts connecting; returns at once. */
  start(): void;
  state(): SessionState;
  /**
   * Reads the whole of `config/`. A read that a watch overtook is repeated inside, within bounds, so that what is
   * returned is one consistent picture.
   */
  snapshot(signal?: AbortSignal): Promise<Result<StoreSnapshot, CodedError>>;
  /** Called when `config/` may have changed, and after every reconnect. Carries no data. */
  onChange(poke: () => void): Unsubscribe;
  /** Called when the session's state changes (connected, lost, expired and renewed). */
  onState(poke: () => void): Unsubscribe;
  /**
   * Replaces the whole set of our ephemeral records under `state/` (path → bytes). Writes only what differs from what
   * this session has written, in batches; a new session or lease publishes everything again by itself.
   * A record that another live session owns is not overwritten: it is reported in `refused`.
   */
  publish(records: ReadonlyMap<string, Uint8Array>): Promise<Result<PublishReport, CodedError>>;
  /** Who holds an ephemeral record now, null when nobody does. */
  owner(path: string): Promise<Result<EphemeralOwner | null, CodedError>>;
  /**
   * Session identities that were ours before a restart: their leftovers may be replaced at once. Call before `start`.
   */
  adoptSessions(sessions: readonly string[]): void;
  /**
   * Ends the session. `keepEphemeral`: leave without closing the session or revoking the lease, so that a quick
   * restart finds its records in place (they fall with the time-out).
   */
  close(options: { readonly keepEphemeral: boolean }): Promise<void>;
}

export interface PublishReport {
  readonly written: number;
  readonly deleted: number;
  /** Paths that another live session owns, with that session's identity. */
  readonly refused: ReadonlyMap<string, string>;
}

export type WriteOp =
  /** `expected`: the `modified` revision that the record must have; null = must not exist; absent = any. */
  | { readonly kind: 'put'; readonly path: string; readonly bytes: Uint8Array; readonly expected?: bigint | null }
  | { readonly kind: 'delete'; readonly path: string; readonly expected?: bigint };

/** How much one `write` takes; more has to be written in several. */
export interface WriteLimits {
  /** False: operations are carried out one after another, and a crash may come between two. */
  readonly atomic: boolean;
  readonly operations: number;
  /** Sum of `writeCost` over the operations. */
  readonly bytes: number;
}

/** What a path and a value cost in a transaction besides their own length: lengths, revisions, rights. */
const OVERHEAD_BYTES = 100;

/** Bytes that an operation takes of `WriteLimits.bytes`; an estimate from above. */
export function writeCost(op: WriteOp): number {
  return 3 * op.path.length + (op.kind === 'put' ? op.bytes.length : 0) + OVERHEAD_BYTES;
}

/** Who follows a part of the store. Carries no data: whoever hears of a change reads again. */
export interface WatchHandlers {
  /**
   * What lies at or below the prefix changed, or may have; also when the watch begins, and when it begins anew after
   * the store was lost.
   */
  readonly onChange: () => void;
  /** The store was lost, or still is; it is tried again without end. null = the watch stands. */
  readonly onState: (lost: CodedError | null) => void;
}

/** The operators' port to the same store: used by the CLI and by the API's write routes, with their own credentials. */
export interface StoreClient {
  get(path: string): Promise<Result<StoreRecord | null, CodedError>>;
  /** Every record at or below `prefix` ('config', 'state/health'), folders included. */
  list(prefix: string): Promise<Result<readonly StoreRecord[], CodedError>>;
  /** All or nothing where the store has transactions; the directory store goes one by one. Parents are made. */
  write(ops: readonly WriteOp[]): Promise<Result<void, CodedError>>;
  readonly limits: WriteLimits;
  /** Follows what lies at and below `prefix`, whether or not anything does. */
  watch(prefix: string, handlers: WatchHandlers): Unsubscribe;
  close(): Promise<void>;
}
