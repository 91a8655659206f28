import { CodedError } from '../../core/errors.ts';
import type { Clock, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { StoreClient, StoreRecord, WatchHandlers, WriteLimits, WriteOp } from '../source.ts';
import { exists, getData, questionOf, sync } from './calls.ts';
import type { NodeData } from './calls.ts';
import { multi } from './multi.ts';
import { MultiNodeReader, PlainNodeReader, walk, windowed } from './node-reader.ts';
import type { NodeReader } from './node-reader.ts';
import { zookeeperSettings } from './options.ts';
import type { ZookeeperDeps, ZookeeperOptions, ZookeeperSettings } from './options.ts';
import { checkRelativePath, foldersAbove } from './paths.ts';
import { PrefixWatch } from './prefix-watch.ts';
import { SERVER_ERROR, ServerRefusal, isRefusal } from './protocol.ts';
import type { Session } from './session.ts';
import { pathsToLookAt, planWrite } from './write-plan.ts';
import type { WriteSurroundings } from './write-plan.ts';

/** How often a write is planned again because the store changed between our look and our multi. */
const MAX_ATTEMPTS = 5;
const MAX_LIST_ATTEMPTS = 3;
/** A read that a server hung up on comes in halves after every second attempt. */
const MAX_READ_ATTEMPTS = 8;
const UNDER_WAY = 100;
/** Of the largest request, for the operations that a caller names. */
const WRITE_SHARE = 0.75;

/** @returns BOOTSTRAP_INVALID when the options cannot be understood */
export function createZookeeperClient(options: ZookeeperOptions, deps: ZookeeperDeps): Result<StoreClient, CodedError> {
  const settings = zookeeperSettings(options);
  return settings.ok ? ok(new ZookeeperClient(settings.value, deps)) : settings;
}

/** Connects on first use; a call waits for the connection for as long as a session lasts. */
class ZookeeperClient implements StoreClient {
  readonly limits: WriteLimits;
  readonly #settings: ZookeeperSettings;
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #root: string;
  #isOldServer = false;

  constructor(settings: ZookeeperSettings, deps: ZookeeperDeps) {
    this.#settings = settings;
    // A part is left for the folders that a write makes on its way.
    this.limits = { atomic: true, operations: Infinity, bytes: Math.floor(settings.maxRequestBytes * WRITE_SHARE) };
    this.#session = settings.openSession(deps);
    this.#clock = deps.clock;
    this.#root = settings.root;
  }

  async get(path: string): Promise<Result<StoreRecord | null, CodedError>> {
    const checked = checkRelativePath(path);
    if (!checked.ok) return checked;
    const ready = await this.#ready();
    if (!ready.ok) return ready;
    const [, node] = await Promise.all([
      this.#session.request(sync(this.#root || '/')),
      this.#session.request(getData(`${this.#root}/${path}`)),
    ]);
    if (node.ok) return ok(recordOf(path, node.value));
    return isRefusal(node.error, 'noNode') ? ok(null) : node;
  }

  async list(prefix: string): Promise<Result<readonly StoreRecord[], CodedError>> {
    const checked = checkRelativePath(prefix);
    if (!checked.ok) return checked;
    const ready = await this.#ready();
    if (!ready.ok) return ready;
    // Without a watch only an unmoved transaction id proves that nothing changed meanwhile.
    for (let attempt = 1; ; attempt++) {
      const caughtUp = await this.#session.request(sync(this.#root || '/'));
      if (!caughtUp.ok) return caughtUp;
      const before = this.#session.lastZxid;
      const found = await this.#below([prefix]);
      if (!found.ok) return found;
      if (attempt < MAX_LIST_ATTEMPTS && this.#session.lastZxid !== before) continue;
      const records = [...found.value].flatMap(([path, node]) => (node === null ? [] : [recordOf(path, node)]));
      return ok(records.sort((a, b) => (a.path < b.path ? -1 : 1)));
    }
  }

  async write(ops: readonly WriteOp[]): Promise<Result<void, CodedError>> {
    for (const op of ops) {
      const checked = checkRelativePath(op.path);
      if (!checked.ok) return checked;
    }
    const ready = await this.#ready();
    if (!ready.ok) return ready;
    if (ops.length === 0) return ok(undefined);
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#tryWrite(ops);
      if (!outcome.ok) return outcome;
      const refusal = outcome.value;
      if (refusal === null) return ok(undefined);
      if (attempt === MAX_ATTEMPTS || !MOVED.has(refusal.serverCode)) return err(refusal);
    }
  }

  watch(prefix: string, handlers: WatchHandlers): Unsubscribe {
    return new PrefixWatch(this.#session, `${this.#root}/${prefix}`, this.#clock, handlers).stop;
  }

  close(): Promise<void> {
    return this.#session.close({ keepSession: false });
  }

  /** @returns the server's refusal, which may be worth another look, or null once written */
  async #tryWrite(ops: readonly WriteOp[]): Promise<Result<ServerRefusal | null, CodedError>> {
    const surroundings = await this.#surroundings(ops);
    if (!surroundings.ok) return surroundings;
    const plan = planWrite(ops, surroundings.value);
    if (!plan.ok) return plan;
    const outcome = await this.#session.request(multi(plan.value));
    if (!outcome.ok) return err(await this.#reasonOf(outcome.error));
    if (outcome.value.kind === 'applied') return ok(null);
    const { index, serverCode } = outcome.value;
    const op = plan.value[index];
    return ok(new ServerRefusal(serverCode, `${op?.kind ?? 'write'} ${op?.path ?? ''}`));
  }

  /**
   * A server hangs up without a word on more than it takes, and leaves open whether the write was carried out. A
   * question of the same length, which changes nothing, settles that: where it ends in the same way, it was not.
   */
  async #reasonOf(error: CodedError): Promise<CodedError> {
    const { requestLimit } = this.#session;
    const { suspect } = requestLimit;
    if (error.code !== 'STORE_DISCONNECTED' || suspect === null) return error;
    const ready = await this.#ready();
    if (!ready.ok) return error;
    await this.#session.request(questionOf(suspect));
    const excess = requestLimit.excess(suspect);
    return excess === null ? error : new CodedError('STORE_TOO_LARGE', excess);
  }

  async #surroundings(ops: readonly WriteOp[]): Promise<Result<WriteSurroundings, CodedError>> {
    const paths = pathsToLookAt(ops);
    const above = this.#root === '' ? [] : [...foldersAbove(this.#root).slice(1), this.#root];
    // Waited for: a server that does not know multiRead says so out of turn.
    const caughtUp = await this.#session.request(sync(this.#root || '/'));
    if (!caughtUp.ok) return caughtUp;
    const nodes = await this.#reading((reader) => reader.data(paths.map((path) => `${this.#root}/${path}`)));
    if (!nodes.ok) return nodes;
    const missingAbove = await windowed(above, UNDER_WAY, async (path) => {
      const there = await this.#session.request(exists(path));
      if (there.ok) return ok([]);
      return isRefusal(there.error, 'noNode') ? ok([path]) : there;
    });
    if (!missingAbove.ok) return missingAbove;
    const byPath = new Map(paths.map((path, index) => [path, nodes.value[index] ?? null]));
    const parents = ops
      .filter((op) => op.kind === 'delete' && (byPath.get(op.path)?.stat.childCount ?? 0) > 0)
      .map((op) => op.path);
    const below = await this.#below(parents);
    if (!below.ok) return below;
    return ok({
      root: this.#root,
      missingAbove: missingAbove.value.flat(),
      nodes: byPath,
      below: below.value,
      acl: this.#settings.acl(),
      stateAcl: this.#settings.stateAcl(),
    });
  }

  /** Everything at and below some paths. */
  #below(paths: readonly string[]): Promise<Result<ReadonlyMap<string, NodeData | null>, CodedError>> {
    return this.#reading((reader) => this.#walk(reader, paths));
  }

  /**
   * Runs a read in the way that works with the server at hand. One before 3.6 hangs up after it has said that it
   * knows no multiRead; a read may be run again over a new connection.
   */
  async #reading<T>(read: (reader: NodeReader) => Promise<Result<T, CodedError>>): Promise<Result<T, CodedError>> {
    if (!this.#isOldServer) {
      const fast = await this.#readFast(read);
      if (fast.ok || !isRefusal(fast.error, 'unimplemented')) return fast;
      this.#isOldServer = true;
    }
    const plain = new PlainNodeReader(this.#session, { watch: false });
    const slow = await read(plain);
    if (slow.ok || slow.error.code !== 'STORE_DISCONNECTED') return slow;
    const ready = await this.#ready();
    return ready.ok ? read(plain) : ready;
  }

  /** Reads again when the server may have hung up on a request that was too large for it: the next is smaller. */
  async #readFast<T>(read: (reader: NodeReader) => Promise<Result<T, CodedError>>): Promise<Result<T, CodedError>> {
    for (let attempt = 1; ; attempt++) {
      const fast = await read(new MultiNodeReader(this.#session));
      const mayFit = !fast.ok && fast.error.code === 'STORE_DISCONNECTED' && this.#session.requestLimit.isDoubtful;
      if (!mayFit || attempt === MAX_READ_ATTEMPTS) return fast;
      const ready = await this.#ready();
      if (!ready.ok) return ready;
    }
  }

  async #walk(
    reader: NodeReader,
    paths: readonly string[],
  ): Promise<Result<ReadonlyMap<string, NodeData | null>, CodedError>> {
    const found = new Map<string, NodeData | null>();
    const absolute = paths.map((path) => `${this.#root}/${path}`);
    const { maxRecords } = this.#settings.limits;
    const walked = await walk(
      reader,
      absolute,
      (path, node) => {
        found.set(path.slice(this.#root.length + 1), node);
        if (found.size <= maxRecords) return ok(undefined);
        return err(new CodedError('STORE_TOO_LARGE', `more than ${maxRecords} records`));
      },
      { listAll: false },
    );
    return walked.ok ? ok(found) : walked;
  }

  #ready(): Promise<Result<void, CodedError>> {
    const state = this.#session.state();
    if (state.kind === 'connected') return Promise.resolve(ok(undefined));
    if (state.kind === 'closed') return Promise.resolve(err(new CodedError('STORE_CLOSED', 'the client was closed')));
    return new Promise((resolve) => {
      const finish = (outcome: Result<void, CodedError>): void => {
        stop();
        cancel();
        resolve(outcome);
      };
      const stop = this.#session.listen({
        onChange: (change) => {
          if (change === 'connected') finish(ok(undefined));
          if (change === 'closed') finish(err(new CodedError('STORE_CLOSED', 'the client was closed')));
        },
        onWatch: () => undefined,
      });
      const { sessionTimeoutMs } = this.#settings;
      const cancel = this.#clock.after(sessionTimeoutMs, () => {
        const last = this.#session.lastError;
        const message = `no ZooKeeper server within ${sessionTimeoutMs} ms`;
        const cause = last === null ? {} : { cause: last };
        const unreachable = new CodedError('STORE_UNREACHABLE', message, { transient: true, ...cause });
        finish(err(last === null || last.transient ? unreachable : last));
      });
      this.#session.start();
    });
  }
}

function recordOf(path: string, node: NodeData): StoreRecord {
  return { path, bytes: new Uint8Array(node.bytes), created: node.stat.czxid, modified: node.stat.mzxid };
}

/** Refusals that say that the store changed after we looked. */
const MOVED: ReadonlySet<number> = new Set([
  SERVER_ERROR.noNode,
  SERVER_ERROR.nodeExists,
  SERVER_ERROR.notEmpty,
  SERVER_ERROR.badVersion,
]);
