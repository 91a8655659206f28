import type { ICompare, IRequestOp } from 'etcd3';
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { WantedRecords } from '../publish-queue.ts';
import type { PublishReport } from '../source.ts';
import type { Keys } from './keys.ts';
import { sessionOf } from './lease.ts';
import { BULK_TIMEOUT_MS } from './limits.ts';
import type { Connection } from './session.ts';
import { BATCH_OPS, MAX_RECORD_BYTES, batches, judge, planOps } from './publish-plan.ts';
import type { PublishOp } from './publish-plan.ts';
import { RecordWatch } from './record-watch.ts';

/** Transactions under way at once: enough to hide the way there and back, too few to bury the leader. */
const PARALLEL = 4;
/** A batch whose records somebody else touches meanwhile is tried this often. */
const ROUNDS = 4;

/** Sessions that were ours and are remembered; older ones have run out long ago. */
const MAX_ADOPTED = 100;

export interface PublisherDeps {
  readonly connection: () => Result<Connection, CodedError>;
  readonly report: (connection: Connection, error: CodedError) => void;
  /** Somebody deleted a record of ours: it is time to run again. */
  readonly onDeleted: () => void;
}

/** A connection over which we have looked at what we hold, and the watch that tells of what is deleted since. */
interface Watched {
  readonly connection: Connection;
  readonly watch: RecordWatch;
}

interface Tally {
  written: number;
  deleted: number;
  readonly refused: Map<string, string>;
}

/** Writes what differs between the wanted set and what carries our lease. One run at a time. */
export class Publisher {
  readonly #keys: Keys;
  readonly #deps: PublisherDeps;
  readonly #adopted = new Set<string>();
  #held = new Map<string, Uint8Array | null>();
  #heldUnder = '';
  #watched: Watched | null = null;

  constructor(keys: Keys, deps: PublisherDeps) {
    this.#keys = keys;
    this.#deps = deps;
  }

  /** @param sessions as `sessionOf` names them */
  adopt(sessions: readonly string[]): void {
    for (const session of sessions) this.#adopted.add(session);
    for (const oldest of this.#adopted) {
      if (this.#adopted.size <= MAX_ADOPTED) break;
      this.#adopted.delete(oldest);
    }
  }

  async run(records: WantedRecords): Promise<Result<PublishReport, CodedError>> {
    const connected = this.#deps.connection();
    if (!connected.ok) return connected;
    const connection = connected.value;
    if (this.#heldUnder !== connection.lease.id) {
      // A lease that was given up may outlive that by a while, above all when the cluster elects a leader.
      if (this.#heldUnder !== '') this.adopt([sessionOf(this.#heldUnder)]);
      this.#held = new Map();
      this.#heldUnder = connection.lease.id;
    }
    if (this.#watched?.connection !== connection) {
      const looked = await this.#lookAgain(connection);
      if (!looked.ok) {
        this.#deps.report(connection, looked.error);
        return looked;
      }
    }
    const tally: Tally = { written: 0, deleted: 0, refused: new Map() };
    const wanted = new Map<string, Uint8Array>();
    let tooLarge: string | null = null;
    for (const [path, bytes] of records) {
      if (bytes.length > MAX_RECORD_BYTES) tooLarge = path;
      else wanted.set(path, bytes);
    }
    let ops = planOps(wanted, this.#held, connection.lease.id);
    for (let round = 1; ops.length > 0 && round <= ROUNDS; round++) {
      const next = await this.#commitAll(connection, ops, tally);
      if (!next.ok) {
        this.#deps.report(connection, next.error);
        return next;
      }
      ops = next.value;
    }
    if (ops.length > 0) {
      const path = ops[0]?.path ?? '';
      return err(new CodedError('STORE_CONFLICT', `${path} keeps changing hands`, { transient: true }));
    }
    if (tooLarge !== null) {
      return err(new CodedError('STORE_TOO_LARGE', `${tooLarge}: more than ${MAX_RECORD_BYTES} bytes`));
    }
    return ok(tally);
  }

  /** What was done to our records while we were away nobody tells us. */
  async #lookAgain(connection: Connection): Promise<Result<void, CodedError>> {
    const lease = connection.lease.id;
    const paths = [...this.#held.keys()];
    const watch = new RecordWatch(connection.link, this.#keys, {
      onDeleted: (path) => {
        // What we deleted ourselves we do not hold any more.
        if (this.#watched?.watch === watch && this.#held.delete(path)) this.#deps.onDeleted();
      },
      onEnd: (error) => this.#deps.report(connection, error),
    });
    for (let at = 0; at < paths.length; at += BATCH_OPS) {
      const batch = paths.slice(at, at + BATCH_OPS).map((path) => ({ path, key: this.#keys.key(path) }));
      const reply = await connection.link.txn({
        compare: batch.map(({ key }) => ({ key, target: 'Lease', result: 'Equal', lease })),
        failure: batch.map(({ key }) => ({ request_range: { key, keys_only: true } })),
      });
      if (!reply.ok) return reply;
      const { succeeded, responses, header } = reply.value;
      for (const [index, { path }] of batch.entries()) {
        if (succeeded || responses[index]?.response_range.kvs[0]?.lease === lease) watch.follow(path, header.revision);
        else this.#held.delete(path);
      }
    }
    this.#watched = { connection, watch };
    return ok(undefined);
  }

  /** Resolves to the operations that must be tried again. */
  async #commitAll(
    connection: Connection,
    ops: readonly PublishOp[],
    tally: Tally,
  ): Promise<Result<PublishOp[], CodedError>> {
    const queue = batches(ops);
    const again: PublishOp[] = [];
    const failures: CodedError[] = [];
    const worker = async (): Promise<void> => {
      for (let batch = queue.shift(); batch !== undefined && failures.length === 0; batch = queue.shift()) {
        const done = await this.#commit(connection, batch, tally);
        if (done.ok) again.push(...done.value);
        else failures.push(done.error);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    return failures[0] === undefined ? ok(again) : err(failures[0]);
  }

  async #commit(
    connection: Connection,
    batch: readonly PublishOp[],
    tally: Tally,
  ): Promise<Result<PublishOp[], CodedError>> {
    const lease = connection.lease.id;
    // From here until the answer the keys may or may not carry our lease.
    for (const op of batch) if (op.bytes !== null) this.#held.set(op.path, null);
    const transaction = {
      compare: batch.map((op) => this.#compare(op)),
      success: batch.map((op) => this.#request(op, lease)),
      failure: batch.map((op) => ({ request_range: { key: this.#keys.key(op.path), keys_only: true } })),
    };
    const reply = await connection.link.txn(transaction, BULK_TIMEOUT_MS);
    if (!reply.ok) {
      // A member may take less than etcd's defaults (--max-txn-ops, --max-request-bytes): halves may fit.
      if (reply.error.code !== 'STORE_TOO_LARGE' || batch.length < 2) return reply;
      const middle = Math.ceil(batch.length / 2);
      const first = await this.#commit(connection, batch.slice(0, middle), tally);
      if (!first.ok) return first;
      const second = await this.#commit(connection, batch.slice(middle), tally);
      return second.ok ? ok([...first.value, ...second.value]) : second;
    }
    if (reply.value.succeeded) {
      const watch = this.#watched?.connection === connection ? this.#watched.watch : null;
      for (const op of batch) {
        watch?.follow(op.path, op.bytes === null ? null : reply.value.header.revision);
        if (op.bytes === null) {
          this.#held.delete(op.path);
          tally.deleted += 1;
        } else {
          this.#held.set(op.path, op.bytes);
          tally.written += 1;
        }
      }
      return ok([]);
    }
    const again: PublishOp[] = [];
    for (const [index, op] of batch.entries()) {
      const found = reply.value.responses[index]?.response_range.kvs[0]?.lease ?? null;
      const verdict = judge(op, found, lease, (id) => this.#adopted.has(sessionOf(id)));
      if (verdict.kind === 'retry') {
        again.push(verdict.op);
        continue;
      }
      this.#held.delete(op.path);
      if (verdict.kind === 'refused') tally.refused.set(op.path, sessionOf(found ?? '0'));
    }
    return ok(again);
  }

  #compare(op: PublishOp): ICompare {
    const key = this.#keys.key(op.path);
    if (op.expectedLease === null) return { key, target: 'Version', result: 'Equal', version: 0 };
    return { key, target: 'Lease', result: 'Equal', lease: op.expectedLease };
  }

  #request(op: PublishOp, lease: string): IRequestOp {
    const key = this.#keys.key(op.path);
    if (op.bytes === null) return { request_delete_range: { key } };
    return { request_put: { key, value: Buffer.from(op.bytes), lease } };
  }
}
