import { CodedError, describeError } from '../../core/errors.ts';
import type { Log } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { PublishReport } from '../source.ts';
import { multi } from './multi.ts';
import type { MultiOp, MultiOutcome } from './multi.ts';
import type { FolderMaker } from './folders.ts';
import { windowed } from './node-reader.ts';
import type { Requester } from './node-reader.ts';
import { EVENT, SERVER_ERROR, ServerRefusal, formatSession, isRefusal, normaliseSession } from './protocol.ts';
import { RecordWatches } from './record-watches.ts';
import { exists } from './calls.ts';
import type { Stat, WatchEvent } from './calls.ts';
import type { AclEntry } from './acl.ts';
import { batchesOf, doubted, intentFor, knownFrom } from './publication.ts';
import type { Intent, Known } from './publication.ts';

/** The part of a session that the publisher needs beyond requests. */
export interface PublisherSession extends Requester {
  readonly sessionId: bigint | null;
  /** Tells connections apart; 0 while there is none. */
  readonly connection: number;
}

export interface PublisherDeps {
  readonly session: PublisherSession;
  /** Whether the server at hand knows watches that last. */
  readonly canWatch: () => boolean;
  readonly folders: FolderMaker;
  readonly root: string;
  readonly acl: () => readonly AclEntry[];
  readonly log: Log;
}

type Outcome = Result<PublishReport, CodedError>;

interface Tally {
  written: number;
  deleted: number;
  readonly refused: Map<string, string>;
}

/**
 * Paths in one multi: a replaced leftover takes two operations, so at most 200 of those. One multi is under way at a
 * time, and small enough that those of a whole fleet, which comes back at once after a break, do not stand in line for
 * longer than a session lasts.
 */
const BATCH = { maxPaths: 100, maxBytes: 128 * 1024 };
/** Questions under way at once about who owns what. */
const LOOKS_UNDER_WAY = 100;
/** How often the server may contradict what we believe about one batch before we leave it to the next call. */
const MAX_ATTEMPTS = 8;
/** Sessions of the past that may still hold nodes: those of one session time would do. */
const MAX_FORMER = 100;

/**
 * Keeps the whole set of our ephemeral records in the store as wanted. Writes only what differs from what this session
 * has written, and looks at the owner of what it changes: a record that became somebody else's is left alone.
 */
export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #former = new Set<string>();
  #wanted: ReadonlyMap<string, Uint8Array> | undefined;
  readonly #known = new Map<string, Known>();
  /** The session that `#known` is about. */
  #session: bigint | null = null;
  /** The connection over which what we know was last looked at. */
  #connection = 0;
  readonly #watches: RecordWatches;
  /** For what is created in the pass under way. */
  #acl: readonly AclEntry[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<Outcome> | undefined;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#watches = new RecordWatches(deps.session);
  }

  /** @returns whether the event says that one of our records is gone, so that it is time to `retry` */
  note(event: WatchEvent): boolean {
    if (event.type !== EVENT.deleted) return false;
    const path = event.path.slice(this.#deps.root.length + 1);
    if (this.#known.get(path)?.kind !== 'ours') return false;
    this.#doubt(path);
    // What we delete ourselves is no longer wanted.
    return this.#wanted?.has(path) === true;
  }

  /** @param sessions in the form that `SessionState.session` has */
  adopt(sessions: readonly string[]): void {
    for (const text of sessions) {
      const session = normaliseSession(text);
      if (session !== undefined) this.#remember(session);
    }
  }

  publish(records: ReadonlyMap<string, Uint8Array>): Promise<Outcome> {
    this.#wanted = new Map(records);
    return this.#enqueue();
  }

  /** Tries again what is wanted, if anything ever was: after a reconnect, or when the root has appeared. */
  retry(): void {
    if (this.#wanted === undefined) return;
    void this.#enqueue().then((outcome) => {
      if (!outcome.ok) this.#deps.log.warn({ error: describeError(outcome.error) }, 'publishing again failed');
    });
  }

  /** One pass at a time; calls that come while one runs share the next, which sees the newest wish. */
  #enqueue(): Promise<Outcome> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      const pass = this.#pass();
      this.#last = pass.catch(() => undefined);
      return pass;
    });
    return this.#next;
  }

  async #pass(): Promise<Outcome> {
    const { session } = this.#deps;
    const connection = session.connection;
    this.#enterSession();
    this.#enterConnection(connection);
    this.#acl = this.#deps.acl();
    const wanted = this.#wanted ?? new Map<string, Uint8Array>();
    for (const [path, known] of this.#known) {
      if (known.kind !== 'foreign') continue;
      if (wanted.has(path)) this.#doubt(path);
      else this.#known.delete(path);
    }
    const paths = [...new Set([...wanted.keys(), ...this.#known.keys()])];
    const open = paths.filter((path) => this.#intent(path, wanted).kind !== 'nothing').sort();
    const report: Tally = { written: 0, deleted: 0, refused: new Map() };
    let failure: CodedError | undefined;
    for (const batch of batchesOf(open, (path) => wanted.get(path)?.length ?? 0, BATCH)) {
      const outcome = await this.#settle(batch, wanted, report, connection);
      if (outcome.ok) continue;
      failure ??= outcome.error;
      if (session.connection !== connection || connection === 0) break;
    }
    return failure === undefined ? ok(report) : err(failure);
  }

  /** In a new session nothing is ours any more, and what the old one may have left behind is replaced. */
  #enterSession(): void {
    const { sessionId } = this.#deps.session;
    if (sessionId === this.#session) return;
    if (this.#session !== null) this.#remember(formatSession(this.#session));
    this.#session = sessionId;
    this.#known.clear();
    this.#deps.folders.forget();
  }

  /** What was done to our records while we were away nobody tells us. */
  #enterConnection(connection: number): void {
    if (connection === this.#connection || connection === 0) return;
    this.#connection = connection;
    for (const path of this.#known.keys()) this.#doubt(path);
  }

  #doubt(path: string): void {
    this.#known.set(path, doubted(this.#known.get(path)));
  }

  #remember(session: string): void {
    this.#former.add(session);
    const [oldest] = this.#former;
    if (this.#former.size > MAX_FORMER && oldest !== undefined) this.#former.delete(oldest);
  }

  #intent(path: string, wanted: ReadonlyMap<string, Uint8Array>): Intent {
    return intentFor(`${this.#deps.root}/${path}`, wanted.get(path), this.#known.get(path), this.#acl);
  }

  /** Brings one batch of paths to what is wanted, or says why not. Paths that others own do not hold up the rest. */
  async #settle(
    batch: readonly string[],
    wanted: ReadonlyMap<string, Uint8Array>,
    report: Tally,
    connection: number,
  ): Promise<Result<void, CodedError>> {
    let paths = [...batch];
    let failure: CodedError | undefined;
    // Batch by batch, since a session has only so many requests under way.
    if (this.#deps.canWatch()) {
      for (const path of paths) this.#watches.follow(`${this.#deps.root}/${path}`, wanted.has(path));
    }
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const looked = await this.#look(paths.filter((path) => this.#isDoubtful(path, attempt === 0)));
      if (!looked.ok) return looked;
      const writes = paths.flatMap((path) => {
        const intent = this.#intent(path, wanted);
        if (intent.kind === 'refused') report.refused.set(path, intent.session);
        return intent.kind === 'write' ? [{ path, ...intent }] : [];
      });
      if (writes.length === 0) return failure === undefined ? ok(undefined) : err(failure);
      const created = writes.filter((write) => write.after === 'present').map((write) => write.path);
      const made = await this.#deps.folders.makeFor(created);
      if (!made.ok) return made;
      const ops = writes.flatMap((write) => write.ops);
      const outcome = await this.#write(ops, connection);
      if (!outcome.ok) {
        for (const { path } of writes) this.#doubt(path);
        if (outcome.error.code !== 'STORE_TOO_LARGE' || writes.length < 2) return outcome;
        const halves = await this.#settleHalves(paths, wanted, report, connection);
        return failure === undefined ? halves : err(failure);
      }
      if (outcome.value.kind === 'applied') {
        this.#applied(writes, outcome.value.versions, wanted, report);
        return failure === undefined ? ok(undefined) : err(failure);
      }
      const { index, serverCode } = outcome.value;
      const op = ops[index];
      if (CONTRADICTIONS.has(serverCode)) {
        // Where one belief was wrong others may be: after a restart all of them are.
        for (const path of paths) this.#doubt(path);
        if (serverCode === SERVER_ERROR.noNode) this.#deps.folders.forget();
      } else {
        failure ??= new ServerRefusal(serverCode, `${op?.kind ?? 'write'} ${op?.path ?? ''}`);
        paths = paths.filter((path) => `${this.#deps.root}/${path}` !== op?.path);
      }
    }
    return err(
      failure ?? new CodedError('STORE_CONFLICT', `our records under state/ keep changing`, { transient: true }),
    );
  }

  /** For servers that take less at once than others. One record that is too large does not hold up the rest. */
  async #settleHalves(
    paths: readonly string[],
    wanted: ReadonlyMap<string, Uint8Array>,
    report: Tally,
    connection: number,
  ): Promise<Result<void, CodedError>> {
    const middle = Math.ceil(paths.length / 2);
    const first = await this.#settle(paths.slice(0, middle), wanted, report, connection);
    const second = await this.#settle(paths.slice(middle), wanted, report, connection);
    return first.ok ? second : first;
  }

  /**
   * Versions start at 0 again when a node is deleted and made anew, so they do not tell our node from a stranger's
   * (say, an agent from a cloned disk, which adopts our session). Hence a look at its owner before each change, unless
   * a watch would have told us that our node is gone.
   */
  #isDoubtful(path: string, isFirstAttempt: boolean): boolean {
    const kind = this.#known.get(path)?.kind;
    if (kind === 'unknown') return true;
    return kind === 'ours' && isFirstAttempt && !this.#watches.stands(`${this.#deps.root}/${path}`);
  }

  async #write(ops: readonly MultiOp[], connection: number): Promise<Result<MultiOutcome, CodedError>> {
    const { session } = this.#deps;
    // Without a connection the session itself says why.
    if (session.connection === connection || session.connection === 0) return session.request(multi(ops));
    return err(new CodedError('STORE_DISCONNECTED', 'the connection changed while publishing', { transient: true }));
  }

  async #look(paths: readonly string[]): Promise<Result<void, CodedError>> {
    const stats = await windowed(paths, LOOKS_UNDER_WAY, (path) => this.#statOf(path));
    if (!stats.ok) return stats;
    for (const [index, path] of paths.entries()) {
      const before = this.#known.get(path);
      const isFormer = (session: string): boolean => this.#former.has(session);
      const known = knownFrom(stats.value[index] ?? null, before, this.#session ?? 0n, isFormer);
      if (known === undefined) this.#known.delete(path);
      else this.#known.set(path, known);
    }
    return ok(undefined);
  }

  async #statOf(path: string): Promise<Result<Stat | null, CodedError>> {
    const stat = await this.#deps.session.request(exists(`${this.#deps.root}/${path}`));
    return !stat.ok && isRefusal(stat.error, 'noNode') ? ok(null) : stat;
  }

  #applied(
    writes: readonly { readonly path: string; readonly ops: readonly MultiOp[]; readonly after: string }[],
    versions: readonly (number | null)[],
    wanted: ReadonlyMap<string, Uint8Array>,
    report: Tally,
  ): void {
    let at = 0;
    for (const { path, ops, after } of writes) {
      at += ops.length;
      const bytes = wanted.get(path);
      if (after === 'absent' || bytes === undefined) {
        this.#known.delete(path);
        report.deleted += 1;
      } else {
        this.#known.set(path, { kind: 'ours', bytes, version: versions[at - 1] ?? 0 });
        report.written += 1;
      }
    }
  }
}

/** Refusals that say that the store is not as we believed. */
const CONTRADICTIONS: ReadonlySet<number> = new Set([
  SERVER_ERROR.nodeExists,
  SERVER_ERROR.noNode,
  SERVER_ERROR.badVersion,
]);
