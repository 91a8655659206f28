import { CodedError } from '../../src/core/errors.ts';
import type { Unsubscribe } from '../../src/core/ports.ts';
import type { Result } from '../../src/core/result.ts';
import { err, ok } from '../../src/core/result.ts';
import type {
  EphemeralOwner,
  PublishReport,
  SessionState,
  Source,
  StoreRecord,
  StoreSnapshot,
} from '../../src/sources/source.ts';

/** A store in memory with the rules that the real ones share: one revision, ephemeral records owned by sessions. */
export class MemoryStore {
  readonly records = new Map<string, StoreRecord>();
  readonly ephemeral = new Map<string, EphemeralOwner>();
  rootExists = true;
  reachable = true;
  /** Of a store that is not reachable; null = it has not refused yet. */
  whyUnreachable: string | null = 'unreachable';
  /** As a member that has lost its ensemble: what it holds can be read, and nothing else is possible. */
  isOld = false;
  #revision = 0n;
  #sessions = 0;
  readonly #sources = new Set<MemorySource>();

  put(path: string, value: unknown): void {
    this.putBytes(path, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  }

  putBytes(path: string, bytes: Uint8Array): void {
    const modified = ++this.#revision;
    const created = this.records.get(path)?.created ?? modified;
    this.records.set(path, { path, bytes, created, modified });
    this.#changed();
  }

  remove(prefix: string): void {
    for (const path of [...this.records.keys()]) {
      if (path === prefix || path.startsWith(`${prefix}/`)) this.records.delete(path);
    }
    this.#revision++;
    this.#changed();
  }

  get position(): string {
    return `revision ${String(this.#revision)}`;
  }

  newSession(): string {
    return `session-${++this.#sessions}`;
  }

  attach(source: MemorySource): void {
    this.#sources.add(source);
  }

  /** The process behind a source is gone; its session lives on until it expires. */
  detach(source: MemorySource): void {
    this.#sources.delete(source);
  }

  /** A session ends: its ephemeral records fall. */
  expire(session: string): void {
    for (const [path, owner] of this.ephemeral) if (owner.session === session) this.ephemeral.delete(path);
  }

  setReachable(reachable: boolean): void {
    this.reachable = reachable;
    for (const source of this.#sources) source.notifyState();
    if (reachable) this.#changed();
  }

  #changed(): void {
    if (!this.reachable) return;
    for (const source of this.#sources) source.notifyChange();
  }
}

export class MemorySource implements Source {
  readonly name = 'memory';
  readonly #store: MemoryStore;
  readonly #change = new Set<() => void>();
  readonly #state = new Set<() => void>();
  #session: string;
  #adopted: readonly string[] = [];
  #closed = false;
  publishes = 0;
  snapshots = 0;

  constructor(store: MemoryStore) {
    this.#store = store;
    this.#session = store.newSession();
    store.attach(this);
  }

  get session(): string {
    return this.#session;
  }

  start(): void {
    this.notifyState();
  }

  state(): SessionState {
    if (this.#closed) return { kind: 'closed' };
    if (!this.#store.reachable) return { kind: 'connecting', since: 0, lastError: this.#store.whyUnreachable };
    if (this.#store.isOld) return { kind: 'connecting', since: 0, lastError: 'the server is read-only' };
    return { kind: 'connected', since: 0, session: this.#session, server: 'memory' };
  }

  snapshot(): Promise<Result<StoreSnapshot, CodedError>> {
    this.snapshots++;
    if (!this.#store.reachable) return Promise.resolve(err(unreachable()));
    const records = this.#store.rootExists ? new Map(this.#store.records) : new Map<string, StoreRecord>();
    const { position, rootExists, isOld } = this.#store;
    return Promise.resolve(ok({ position, rootExists, records, ...(isOld ? { mayBeOld: true } : {}) }));
  }

  onChange(poke: () => void): Unsubscribe {
    this.#change.add(poke);
    return () => this.#change.delete(poke);
  }

  onState(poke: () => void): Unsubscribe {
    this.#state.add(poke);
    return () => this.#state.delete(poke);
  }

  publish(wanted: ReadonlyMap<string, Uint8Array>): Promise<Result<PublishReport, CodedError>> {
    if (!this.#store.reachable) return Promise.resolve(err(unreachable()));
    this.publishes++;
    const refused = new Map<string, string>();
    let written = 0;
    let deleted = 0;
    for (const [path, owner] of this.#store.ephemeral) {
      if (owner.session !== this.#session || wanted.has(path)) continue;
      this.#store.ephemeral.delete(path);
      deleted++;
    }
    for (const [path, bytes] of wanted) {
      const owner = this.#store.ephemeral.get(path);
      const ours = owner === undefined || owner.session === this.#session || this.#adopted.includes(owner.session);
      if (!ours) refused.set(path, owner.session);
      else if (owner === undefined || owner.session !== this.#session || Buffer.compare(owner.bytes, bytes) !== 0) {
        this.#store.ephemeral.set(path, { session: this.#session, bytes });
        written++;
      }
    }
    return Promise.resolve(ok({ written, deleted, refused }));
  }

  owner(path: string): Promise<Result<EphemeralOwner | null, CodedError>> {
    return Promise.resolve(ok(this.#store.ephemeral.get(path) ?? null));
  }

  adoptSessions(sessions: readonly string[]): void {
    this.#adopted = sessions;
  }

  close(options: { readonly keepEphemeral: boolean }): Promise<void> {
    this.#closed = true;
    if (!options.keepEphemeral) this.#store.expire(this.#session);
    return Promise.resolve();
  }

  /** The store ends our session, and a new one begins. */
  renewSession(): void {
    this.#store.expire(this.#session);
    this.#session = this.#store.newSession();
    this.notifyState();
  }

  notifyChange(): void {
    for (const poke of this.#change) poke();
  }

  notifyState(): void {
    for (const poke of this.#state) poke();
  }
}

function unreachable(): CodedError {
  return new CodedError('STORE_UNREACHABLE', 'the memory store was made unreachable', { transient: true });
}
