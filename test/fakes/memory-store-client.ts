import { CodedError } from '../../src/core/errors.ts';
import type { Unsubscribe } from '../../src/core/ports.ts';
import type { Result } from '../../src/core/result.ts';
import { err, ok } from '../../src/core/result.ts';
import type { StoreClient, StoreRecord, WatchHandlers, WriteLimits, WriteOp } from '../../src/sources/source.ts';

/** A store for operators with the rules of the real ones: revisions, all or nothing, no delete above other records. */
export class MemoryStoreClient implements StoreClient {
  readonly watchers = new Set<WatchHandlers>();
  readonly records = new Map<string, StoreRecord>();
  limits: WriteLimits = { atomic: true, operations: Infinity, bytes: Infinity };
  closed = false;
  /** Runs before the next write: the moment at which somebody else may be quicker. */
  beforeWrite: () => void = () => undefined;
  #revision = 0n;

  /** Writes as another client would. */
  put(path: string, value: unknown): void {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    this.#put(this.records, path, Buffer.from(text));
    this.#tell();
  }

  text(path: string): string | undefined {
    const record = this.records.get(path);
    return record === undefined ? undefined : new TextDecoder().decode(record.bytes);
  }

  get(path: string): Promise<Result<StoreRecord | null, CodedError>> {
    return Promise.resolve(ok(this.records.get(path) ?? null));
  }

  list(prefix: string): Promise<Result<readonly StoreRecord[], CodedError>> {
    const inside = ({ path }: StoreRecord): boolean => path === prefix || path.startsWith(`${prefix}/`);
    return Promise.resolve(ok([...this.records.values()].filter(inside)));
  }

  write(ops: readonly WriteOp[]): Promise<Result<void, CodedError>> {
    this.beforeWrite();
    if (ops.length > this.limits.operations) {
      return Promise.resolve(err(new CodedError('STORE_TOO_LARGE', `${ops.length} changes in one write`)));
    }
    const draft = new Map(this.records);
    for (const op of ops) {
      const current = draft.get(op.path);
      if (op.expected !== undefined && op.expected !== (current?.modified ?? null)) return refuse(op.path);
      if (op.kind === 'put') this.#put(draft, op.path, op.bytes);
      else if (!this.#remove(draft, op.path)) return refuse(op.path);
    }
    this.records.clear();
    for (const [path, record] of draft) this.records.set(path, record);
    this.#tell();
    return Promise.resolve(ok(undefined));
  }

  watch(_prefix: string, handlers: WatchHandlers): Unsubscribe {
    this.watchers.add(handlers);
    handlers.onState(null);
    handlers.onChange();
    return () => void this.watchers.delete(handlers);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  #tell(): void {
    for (const { onChange } of this.watchers) onChange();
  }

  /** Empty folders below a record go with it; where there are records, it stays. */
  #remove(records: Map<string, StoreRecord>, path: string): boolean {
    const below = [...records.values()].filter((record) => record.path.startsWith(`${path}/`));
    if (below.some(({ bytes }) => bytes.length > 0)) return false;
    for (const record of below) records.delete(record.path);
    return records.delete(path);
  }

  #put(records: Map<string, StoreRecord>, path: string, bytes: Uint8Array): void {
    const modified = ++this.#revision;
    records.set(path, { path, bytes, created: records.get(path)?.created ?? modified, modified });
  }
}

function refuse(path: string): Promise<Result<void, CodedError>> {
  return Promise.resolve(err(new CodedError('STORE_CONFLICT', `${path} was changed by somebody else`)));
}
