import type { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { getChildren, getData } from './calls.ts';
import type { Call, NodeData } from './calls.ts';
import { multiGetChildren, multiGetData } from './multi.ts';
import type { ReadResult } from './multi.ts';
import { SERVER_ERROR, ServerRefusal, isRefusal } from './protocol.ts';

/** The part of a session that reads and writes need. */
export interface Requester {
  /** The newest transaction that any server had applied when it answered us. */
  readonly lastZxid: bigint;
  request<T>(call: Call<T>): Promise<Result<T, CodedError>>;
}

/** One outcome for each path, in order; null: there is no such node. */
export type ManyResult<T> = Result<readonly (T | null)[], CodedError>;

/** Sees what was read of a path, null when there is no such node; may refuse to go on. */
export type Visit = (path: string, node: NodeData | null) => Result<void, CodedError>;

/** Reads many nodes at once. Any error but a missing node fails the whole read. */
export interface NodeReader {
  data(paths: readonly string[]): Promise<ManyResult<NodeData>>;
  /** The same, each node shown as its reply comes: of a large tree, nothing that a visitor does not need piles up. */
  visit(paths: readonly string[], visit: Visit): Promise<Result<void, CodedError>>;
  children(paths: readonly string[]): Promise<ManyResult<readonly string[]>>;
}

/** Nodes in one multiRead: some 20 kB there, and 50 kB back. */
const BATCH = 250;
/** multiReads under way at once: the server never waits for us, and replies do not pile up. */
const BATCHES_UNDER_WAY = 8;
/** Single reads under way at once, for servers without multiRead. */
const SINGLES_UNDER_WAY = 200;

/** For servers since 3.6, which hold one recursive watch for the whole tree. */
export class MultiNodeReader implements NodeReader {
  readonly #session: Requester;

  constructor(session: Requester) {
    this.#session = session;
  }

  data(paths: readonly string[]): Promise<ManyResult<NodeData>> {
    return this.#read(paths, multiGetData, 'getData');
  }

  children(paths: readonly string[]): Promise<ManyResult<readonly string[]>> {
    return this.#read(paths, multiGetChildren, 'getChildren');
  }

  async visit(paths: readonly string[], visit: Visit): Promise<Result<void, CodedError>> {
    const visited = await windowed(chunks(paths, BATCH), BATCHES_UNDER_WAY, async (batch) => {
      const nodes = await this.#readBatch(batch, multiGetData, 'getData');
      return nodes.ok ? visitAll(batch, nodes.value, visit) : nodes;
    });
    return visited.ok ? ok(undefined) : visited;
  }

  async #read<T>(
    paths: readonly string[],
    callFor: (batch: readonly string[]) => Call<readonly ReadResult<T>[]>,
    what: string,
  ): Promise<ManyResult<T>> {
    const batches = chunks(paths, BATCH);
    const results = await windowed(batches, BATCHES_UNDER_WAY, (batch) => this.#readBatch(batch, callFor, what));
    return results.ok ? ok(results.value.flat()) : results;
  }

  async #readBatch<T>(
    paths: readonly string[],
    callFor: (batch: readonly string[]) => Call<readonly ReadResult<T>[]>,
    what: string,
  ): Promise<ManyResult<T>> {
    const reply = await this.#session.request(callFor(paths));
    if (!reply.ok) {
      // Large values together made one reply too large: each half may fit.
      if (reply.error.code !== 'STORE_TOO_LARGE' || paths.length < 2) return reply;
      const middle = Math.ceil(paths.length / 2);
      const first = await this.#readBatch(paths.slice(0, middle), callFor, what);
      if (!first.ok) return first;
      const second = await this.#readBatch(paths.slice(middle), callFor, what);
      return second.ok ? ok([...first.value, ...second.value]) : second;
    }
    const found: (T | null)[] = [];
    for (const [index, result] of reply.value.entries()) {
      if ('value' in result) found.push(result.value);
      else if (result.serverCode === SERVER_ERROR.noNode) found.push(null);
      else return err(new ServerRefusal(result.serverCode, `${what} ${paths[index] ?? ''}`));
    }
    return ok(found);
  }
}

/** For older servers: one request a node, and with `watch` each of them leaves a one-shot watch behind. */
export class PlainNodeReader implements NodeReader {
  readonly #session: Requester;
  readonly #watch: boolean;

  constructor(session: Requester, options: { readonly watch: boolean }) {
    this.#session = session;
    this.#watch = options.watch;
  }

  data(paths: readonly string[]): Promise<ManyResult<NodeData>> {
    return windowed(paths, SINGLES_UNDER_WAY, (path) => this.#one(getData(path, this.#watch)));
  }

  children(paths: readonly string[]): Promise<ManyResult<readonly string[]>> {
    return windowed(paths, SINGLES_UNDER_WAY, (path) => this.#one(getChildren(path, this.#watch)));
  }

  async visit(paths: readonly string[], visit: Visit): Promise<Result<void, CodedError>> {
    const nodes = await this.data(paths);
    return nodes.ok ? visitAll(paths, nodes.value, visit) : nodes;
  }

  async #one<T>(call: Call<T>): Promise<Result<T | null, CodedError>> {
    const reply = await this.#session.request(call);
    if (!reply.ok) return isRefusal(reply.error, 'noNode') ? ok(null) : reply;
    return reply;
  }
}

export function visitAll(
  paths: readonly string[],
  nodes: readonly (NodeData | null)[],
  visit: Visit,
): Result<void, CodedError> {
  for (const [index, path] of paths.entries()) {
    const visited = visit(path, nodes[index] ?? null);
    if (!visited.ok) return visited;
  }
  return ok(undefined);
}

/** Runs `job` over all items with at most `limit` under way; the first error ends it. Results keep their order. */
export async function windowed<I, T>(
  items: readonly I[],
  limit: number,
  job: (item: I) => Promise<Result<T, CodedError>>,
): Promise<Result<T[], CodedError>> {
  const results: T[] = [];
  let failure: CodedError | undefined;
  const queue = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failure !== undefined) return;
      const result = await job(item);
      if (result.ok) results[index] = result.value;
      else failure ??= result.error;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return failure === undefined ? ok(results) : err(failure);
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}

export interface WalkOptions {
  /** List the children of every node, also of those that have none: with one-shot watches that is what watches. */
  readonly listAll: boolean;
}

/**
 * Reads the nodes at `paths` and everything below them, level by level. `visit` sees every path that was asked for.
 */
export async function walk(
  reader: NodeReader,
  paths: readonly string[],
  visit: Visit,
  options: WalkOptions,
): Promise<Result<void, CodedError>> {
  for (let level = paths; level.length > 0;) {
    const parents: string[] = [];
    const read = await reader.visit(level, (path, node) => {
      if (node !== null && (options.listAll || node.stat.childCount > 0)) parents.push(path);
      return visit(path, node);
    });
    if (!read.ok) return read;
    const listed = await reader.children(parents);
    if (!listed.ok) return listed;
    level = parents.flatMap((path, index) => (listed.value[index] ?? []).map((name) => `${path}/${name}`));
  }
  return ok(undefined);
}
