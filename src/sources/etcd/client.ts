import type { ICompare, IKeyValue, IRequestOp } from 'etcd3';
import { CodedError } from '../../core/errors.ts';
import { silentLog } from '../../core/ports.ts';
import type { Clock, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { StoreClient, StoreRecord, WatchHandlers, WriteOp } from '../source.ts';
import { breaksConnection } from './errors.ts';
import { Keys } from './keys.ts';
import type { EtcdLink } from './link.ts';
import { PrefixWatch } from './prefix-watch.ts';
import { readBelow, toRecord } from './reader.ts';
import { parseEndpoint } from './settings.ts';
import type { EtcdSettings } from './settings.ts';
import type { WatchRange } from './watch.ts';

/** etcd's own limit on one transaction (--max-txn-ops). */
const MAX_OPS = 128;
/** What etcd takes in one request is 1.5 MiB (--max-request-bytes); the rest is for what gRPC adds. */
const MAX_WRITE_BYTES = 1024 * 1024;

/**
 * The operators' port to an etcd cluster. A write is one transaction: all of it or nothing, under the revisions that
 * the caller expects. It makes no parents, because etcd has no folders.
 */
export class EtcdStoreClient implements StoreClient {
  readonly limits = { atomic: true, operations: MAX_OPS, bytes: MAX_WRITE_BYTES };
  readonly #settings: EtcdSettings;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #watches = new Set<PrefixWatch>();
  #link: EtcdLink | null = null;
  #closed = false;

  constructor(settings: EtcdSettings, clock: Clock = systemClock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#keys = new Keys(settings.root);
  }

  async get(path: string): Promise<Result<StoreRecord | null, CodedError>> {
    const reply = await this.#anywhere((link) => link.range({ key: this.#keys.key(path) }));
    if (!reply.ok) return reply;
    const kv = reply.value.kvs[0];
    return ok(kv === undefined ? null : toRecord(this.#keys, kv));
  }

  async list(prefix: string): Promise<Result<readonly StoreRecord[], CodedError>> {
    const reading = await this.#anywhere((link) => readBelow(link, this.#keys, prefix));
    if (!reading.ok) return reading;
    const below = [...reading.value.records.values()];
    // The record at the prefix itself, as it was at the revision of the others. Credentials that cover only what lies
    // below do not cover it: then there is none for them.
    const revision = reading.value.revision.toString();
    const own = await this.#anywhere((link) => link.range({ key: this.#keys.key(prefix), revision }));
    if (!own.ok) return own.error.code === 'STORE_FORBIDDEN' ? ok(below) : own;
    return ok([...own.value.kvs.map((kv) => toRecord(this.#keys, kv)), ...below]);
  }

  async write(ops: readonly WriteOp[]): Promise<Result<void, CodedError>> {
    if (ops.length === 0) return ok(undefined);
    if (ops.length > MAX_OPS) {
      const text = `${ops.length} changes in one write: etcd takes at most ${MAX_OPS}, and less than all is not written`;
      return err(new CodedError('STORE_TOO_LARGE', text));
    }
    const twice = ops.find((op, index) => ops.findIndex((other) => other.path === op.path) !== index);
    if (twice !== undefined) return err(new CodedError('STORE_CONFLICT', `${twice.path} is named twice in one write`));
    // Whether a write that got no answer was carried out is not known, so it must not be tried at another member: a
    // reading goes ahead and finds one that answers.
    const alive = await this.#anywhere((link) => link.range({ ...this.#keys.below('config'), count_only: true }));
    if (!alive.ok && alive.error.code !== 'STORE_FORBIDDEN') return alive;
    const written = await this.#anywhere(
      (link) =>
        link.txn({
          compare: ops.flatMap((op) => this.#compare(op)),
          success: ops.map((op) => this.#request(op)),
          failure: ops.map((op) => ({ request_range: { key: this.#keys.key(op.path), keys_only: true } })),
        }),
      1,
    );
    if (!written.ok) return written;
    if (written.value.succeeded) return ok(undefined);
    return err(conflict(ops, (index) => written.value.responses[index]?.response_range.kvs[0]));
  }

  watch(prefix: string, handlers: WatchHandlers): Unsubscribe {
    const watch = new PrefixWatch((attempt) => this.#connect(attempt), this.#rangeOf(prefix), this.#clock, handlers);
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const watch of this.#watches) watch.stop();
    this.#link?.close();
    this.#link = null;
    return Promise.resolve();
  }

  /** Asks the member that answered last, then the others; an answer that is a refusal is an answer. */
  async #anywhere<T>(
    ask: (link: EtcdLink) => Promise<Result<T, CodedError>>,
    attempts = this.#settings.endpoints.length + 1,
  ): Promise<Result<T, CodedError>> {
    let failure = new CodedError('STORE_CLOSED', 'the etcd client is closed');
    for (let attempt = 0; attempt < attempts && !this.#closed; attempt++) {
      const link = await this.#open(attempt);
      if (!link.ok) {
        failure = link.error;
        if (!breaksConnection(failure)) return link;
        continue;
      }
      const reply = await ask(link.value);
      if (reply.ok || !breaksConnection(reply.error)) return reply;
      failure = reply.error;
      link.value.close();
      if (this.#link === link.value) this.#link = null;
    }
    return err(failure);
  }

  async #open(attempt: number): Promise<Result<EtcdLink, CodedError>> {
    if (this.#link !== null) return ok(this.#link);
    const link = await this.#connect(attempt);
    if (link.ok) this.#link = link.value;
    return link;
  }

  /** A connection of its own, to one of the members. */
  async #connect(attempt: number): Promise<Result<EtcdLink, CodedError>> {
    const { endpoints } = this.#settings;
    const { EtcdLink } = await import('./link.ts');
    const endpoint = parseEndpoint(endpoints[attempt % endpoints.length] ?? '', this.#settings.tls !== undefined);
    // gRPC resolves names itself; a command does not outlive what it finds.
    const created = EtcdLink.create(this.#settings, { ...endpoint, address: endpoint.host }, silentLog);
    if (!created.ok) return created;
    const link = created.value;
    const loggedIn = await link.logIn();
    if (loggedIn.ok && !this.#closed) return ok(link);
    link.close();
    return loggedIn.ok ? err(new CodedError('STORE_CLOSED', 'the etcd client is closed')) : loggedIn;
  }

  /**
   * The top folders are no records, and credentials may cover only what lies below them. Elsewhere the record itself
   * counts, with the price of a poke now and then for a neighbour: "web-2" lies between "web" and what is below it.
   */
  #rangeOf(prefix: string): WatchRange {
    const below = this.#keys.below(prefix);
    return prefix.includes('/') ? { ...below, key: this.#keys.key(prefix) } : below;
  }

  #compare(op: WriteOp): ICompare[] {
    const key = this.#keys.key(op.path);
    if (op.expected !== undefined) {
      // A key that does not exist compares as one with revision 0.
      return [{ key, target: 'Mod', result: 'Equal', mod_revision: (op.expected ?? 0n).toString() }];
    }
    return op.kind === 'delete' ? [{ key, target: 'Version', result: 'Greater', version: 0 }] : [];
  }

  #request(op: WriteOp): IRequestOp {
    const key = this.#keys.key(op.path);
    if (op.kind === 'delete') return { request_delete_range: { key } };
    return { request_put: { key, value: Buffer.from(op.bytes) } };
  }
}

/** Says which record stood in the way. The readings are of the same revision as the comparison. */
function conflict(ops: readonly WriteOp[], found: (index: number) => IKeyValue | undefined): CodedError {
  for (const [index, op] of ops.entries()) {
    const kv = found(index);
    if (kv === undefined && typeof op.expected === 'bigint') {
      return new CodedError('STORE_CONFLICT', `${op.path} has vanished; nothing was written`);
    }
    if (kv === undefined && op.kind === 'delete') {
      return new CodedError('STORE_NOT_FOUND', `${op.path} does not exist; nothing was written`);
    }
    if (kv === undefined || op.expected === undefined) continue;
    if (op.expected === null) return new CodedError('STORE_CONFLICT', `${op.path} exists already; nothing was written`);
    if (BigInt(kv.mod_revision) !== op.expected) {
      const text = `${op.path} was changed at revision ${kv.mod_revision}, after ${op.expected}; nothing was written`;
      return new CodedError('STORE_CONFLICT', text);
    }
  }
  return new CodedError('STORE_CONFLICT', 'a record changed since it was read; nothing was written');
}
