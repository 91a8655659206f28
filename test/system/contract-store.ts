import type { CodedError } from '../../src/core/errors.ts';
import type { Result } from '../../src/core/result.ts';
import type {
  SessionState,
  Source,
  StoreClient,
  StoreRecord,
  StoreSnapshot,
  WriteOp,
} from '../../src/sources/source.ts';
import { eventually } from '../lab/eventually.ts';

/** Somebody else who uses the same store, through code that is not ours. Paths are relative to the root. */
export interface Outsider {
  put(path: string, text: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Everything at and below the path, in as many steps as the outsider's tool takes. */
  removeTree(path: string): Promise<void>;
  get(path: string): Promise<string | null>;
  /** Resolves when what is made from now on is younger than what there is, where the store's clock is coarse. */
  tick?(): Promise<void>;
}

/** For stores with transactions. */
export type PutBoth = (first: string, second: string, text: string) => Promise<void>;

/** An empty place in a store that is already running. */
export interface ContractStore {
  readonly outsider: Outsider;
  /** A source with a session of its own, not started. */
  source(): Source;
  client(): StoreClient;
  /** Writes both in one step, where the store can. */
  readonly putBoth?: PutBoth;
  /** Takes the session away at the store, as an operator or a time-out would. */
  endSession(session: string): Promise<void>;
}

export interface ContractServer {
  readonly sessionTimeoutMs: number;
  fresh(): Promise<ContractStore>;
  close(): Promise<void>;
}

/** What a test of the contract works with; everything made through it is closed after the test. */
export interface ContractFixture {
  readonly transactions: boolean;
  server(): ContractServer;
  store(): ContractStore;
  prepare(): Source;
  connect(source?: Source): Promise<Source>;
  client(): StoreClient;
}

export function put(path: string, content: string, expected?: bigint | null): WriteOp {
  return { kind: 'put', path, bytes: bytes(content), ...(expected === undefined ? {} : { expected }) } as const;
}

export function bytes(content: string): Uint8Array {
  return Buffer.from(content);
}

export async function value<T>(result: Promise<Result<T, CodedError>>): Promise<T> {
  const settled = await result;
  if (!settled.ok) throw settled.error;
  return settled.value;
}

export async function failure(result: Promise<Result<unknown, CodedError>>): Promise<string> {
  const settled = await result;
  return settled.ok ? 'no failure' : settled.error.code;
}

export async function present(client: StoreClient, path: string): Promise<StoreRecord> {
  const found = await value(client.get(path));
  if (found === null) throw new Error(`no ${path}`);
  return found;
}

export function snapshot(source: Source): Promise<StoreSnapshot> {
  return value(source.snapshot());
}

export function text(snapshot: StoreSnapshot, path: string): string | null {
  const found = snapshot.records.get(path);
  return found === undefined ? null : Buffer.from(found.bytes).toString();
}

export function recordAt(snapshot: StoreSnapshot, path: string): StoreRecord {
  const found = snapshot.records.get(path);
  if (found === undefined) throw new Error(`no ${path}`);
  return found;
}

export function until(source: Source, holds: (snapshot: StoreSnapshot) => boolean): Promise<StoreSnapshot> {
  return eventually('the snapshot is as expected', async () => {
    const read = await snapshot(source);
    return holds(read) ? read : null;
  });
}

export function session(source: Source): string {
  const state = source.state();
  if (state.kind !== 'connected') throw new Error(`no session: ${state.kind}`);
  return state.session;
}

/** `next` resolves once a poke has come that no earlier `next` has used up. */
export function pokes(source: Source): { next(): Promise<void> } {
  let count = 0;
  let used = 0;
  source.onChange(() => (count += 1));
  return {
    next: async () => {
      await eventually('a poke', () => count > used, { everyMs: 5 });
      used = count;
    },
  };
}

export function stateKinds(source: Source): () => SessionState['kind'][] {
  const kinds: SessionState['kind'][] = [];
  source.onState(() => kinds.push(source.state().kind));
  return () => kinds;
}
