import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { StoreRecord, StoreSnapshot } from '../source.ts';
import { exists } from './calls.ts';
import type { NodeData, WatchEvent } from './calls.ts';
import { walk } from './node-reader.ts';
import type { NodeReader, Requester } from './node-reader.ts';
import { EVENT, formatZxid, isRefusal } from './protocol.ts';

export interface TreeLimits {
  readonly maxRecords: number;
  /** Sum of all values. */
  readonly maxBytes: number;
}

export interface ReadOptions {
  /** The watches are the reader's own and must be renewed by reading. */
  readonly oneShot: boolean;
}

/** How often a read may be overtaken before it is given up: each time only what changed is read again. */
const MAX_ROUNDS = 100;
/** More changed nodes than this are not remembered one by one: the whole tree is read again. */
const MAX_STALE = 50_000;

/**
 * What we know of everything under `<root>/config`, kept true by the events of its watches. A read asks only for
 * what changed since the one before; it returns once a round has passed in which nothing changed, so its outcome is
 * one consistent picture: every node is as it was when the last reply came, since any later change would have sent
 * its event before that reply (ZooKeeper orders a client's events and replies).
 */
export class ConfigTree {
  readonly #session: Requester;
  readonly #root: string;
  readonly #base: string;
  readonly #limits: TreeLimits;
  #records = new Map<string, StoreRecord>();
  /** Whether a snapshot has these very records, so that a change must be made to a copy of them. */
  #isShared = false;
  /** Paths whose nodes have changed; true: their children may have, too. */
  readonly #stale = new Map<string, boolean>();
  #bytes = 0;
  #isRead = false;
  #rootExists = false;

  /** @param root absolute, without a slash at its end */
  constructor(session: Requester, root: string, limits: TreeLimits) {
    this.#session = session;
    this.#root = root;
    this.#base = `${root}/config`;
    this.#limits = limits;
  }

  /** Forgets everything: after a reconnect, since missed events are not sent again. */
  invalidate(): void {
    this.#isRead = false;
    this.#stale.clear();
  }

  /** @returns false when the event has nothing to do with the tree */
  note(event: WatchEvent): boolean {
    const { type, path } = event;
    const isKnown = type >= EVENT.created && type <= EVENT.childrenChanged;
    const isTop = path === this.#root || path === this.#base;
    if (!isKnown || (isTop && type !== EVENT.childrenChanged)) {
      this.invalidate();
      return true;
    }
    if (path !== this.#base && !path.startsWith(`${this.#base}/`)) return false;
    this.#stale.set(path, type !== EVENT.dataChanged || this.#stale.get(path) === true);
    if (this.#stale.size > MAX_STALE) this.invalidate();
    return true;
  }

  /**
   * Never runs twice at once: the caller sees to that.
   */
  async read(reader: NodeReader, options: ReadOptions): Promise<Result<StoreSnapshot, CodedError>> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (this.#isRead && this.#stale.size === 0) return ok(this.#snapshot());
      const outcome = await (this.#isRead ? this.#refresh(reader, options) : this.#readWhole(reader, options));
      if (outcome.ok) continue;
      this.invalidate();
      return outcome;
    }
    return err(
      new CodedError('STORE_CONFLICT', `config/ changed during each of ${MAX_ROUNDS} reads`, { transient: true }),
    );
  }

  #snapshot(): StoreSnapshot {
    this.#isShared = true;
    const position = formatZxid(this.#session.lastZxid);
    return { position, rootExists: this.#rootExists, records: this.#records };
  }

  async #readWhole(reader: NodeReader, options: ReadOptions): Promise<Result<void, CodedError>> {
    this.#own(new Map());
    this.#stale.clear();
    this.#bytes = 0;
    this.#isRead = true;
    // The recursive watch on config/ says nothing about the root above it, and reading an absent node leaves no watch.
    const watched = options.oneShot ? [this.#root, this.#base] : [this.#root];
    const looks = await Promise.all(watched.map((path) => this.#session.request(exists(path || '/', true))));
    for (const [index, look] of looks.entries()) {
      if (!look.ok && !isRefusal(look.error, 'noNode')) return look;
      if (index === 0) this.#rootExists = look.ok;
    }
    return this.#walk(reader, [this.#base], options);
  }

  async #refresh(reader: NodeReader, options: ReadOptions): Promise<Result<void, CodedError>> {
    if (this.#isShared) this.#own(new Map(this.#records));
    const stale = [...this.#stale];
    this.#stale.clear();
    const data = await reader.data(stale.map(([path]) => path));
    if (!data.ok) return data;
    const parents: string[] = [];
    for (const [index, [path, deep]] of stale.entries()) {
      const node = data.value[index] ?? null;
      // A copy, since the view keeps all that came with it in memory. What a whole read brings belongs together and
      // stays as it came.
      const visited = this.#put(path, node === null ? null : { ...node, bytes: new Uint8Array(node.bytes) });
      if (!visited.ok) return visited;
      if (node !== null && deep && (options.oneShot || node.stat.childCount > 0)) parents.push(path);
    }
    const listed = await reader.children(parents);
    if (!listed.ok) return listed;
    // Children that vanished send events of their own; so do changes in those that we know.
    const paths = parents.flatMap((path, index) => (listed.value[index] ?? []).map((name) => `${path}/${name}`));
    return this.#walk(
      reader,
      paths.filter((path) => !this.#records.has(this.#relative(path))),
      options,
    );
  }

  #own(records: Map<string, StoreRecord>): void {
    this.#records = records;
    this.#isShared = false;
  }

  #walk(reader: NodeReader, paths: readonly string[], options: ReadOptions): Promise<Result<void, CodedError>> {
    return walk(reader, paths, (path, node) => this.#put(path, node), { listAll: options.oneShot });
  }

  /** Joined, not cut out: a slice keeps the whole path in memory, and is slow to compare with others. */
  #relative(path: string): string {
    const end = path.lastIndexOf('/');
    return [path.slice(this.#root.length + 1, end), path.slice(end + 1)].join('/');
  }

  #put(absolute: string, node: NodeData | null): Result<void, CodedError> {
    if (absolute === this.#base) return ok(undefined);
    const path = this.#relative(absolute);
    this.#bytes -= this.#records.get(path)?.bytes.length ?? 0;
    if (node === null) {
      this.#records.delete(path);
      return ok(undefined);
    }
    const { bytes } = node;
    this.#bytes += bytes.length;
    this.#records.set(path, { path, bytes, created: node.stat.czxid, modified: node.stat.mzxid });
    const { maxRecords, maxBytes } = this.#limits;
    if (this.#records.size <= maxRecords && this.#bytes <= maxBytes) return ok(undefined);
    const size = `more than ${maxRecords} records or ${maxBytes} bytes`;
    return err(new CodedError('STORE_TOO_LARGE', `config/ holds ${size}: what is in force stays`));
  }
}
