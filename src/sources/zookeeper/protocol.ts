import { CodedError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';

/** Operation codes: org.apache.zookeeper.ZooDefs.OpCode. Only those that we send. */
export const OP = {
  /** Inside a multi, where servers before 3.9 know no other. */
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  removeWatches: 18,
  createContainer: 19,
  /** Since server 3.6. */
  multiRead: 22,
  auth: 100,
  /** Since server 3.6. */
  addWatch: 106,
  closeSession: -11,
  /** Not a request: the type of a failed item in the reply to a multi. */
  error: -1,
} as const;

/** Transaction ids that are not ours to choose: org.apache.zookeeper.ClientCnxn. */
export const XID = { notification: -1, ping: -2, auth: -4 } as const;

/** Server error codes: org.apache.zookeeper.KeeperException.Code. */
export const SERVER_ERROR = {
  systemError: -1,
  runtimeInconsistency: -2,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  unknownSession: -12,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  notReadOnly: -119,
  ephemeralOnLocalSession: -120,
  requestTimeout: -122,
  sessionClosedRequireSaslAuth: -124,
  quotaExceeded: -125,
  throttledOp: -127,
} as const;

type ServerErrorName = keyof typeof SERVER_ERROR;

const NAME_BY_CODE: ReadonlyMap<number, string> = new Map(
  Object.entries(SERVER_ERROR).map(([name, code]) => [code, name]),
);

/** What the server's refusals mean to the rest of vipkeeper; everything absent here is STORE_PROTOCOL. */
const MEANING: Partial<Record<ServerErrorName, { readonly code: ErrorCode; readonly transient?: true }>> = {
  connectionLoss: { code: 'STORE_DISCONNECTED', transient: true },
  operationTimeout: { code: 'STORE_DISCONNECTED', transient: true },
  requestTimeout: { code: 'STORE_DISCONNECTED', transient: true },
  sessionMoved: { code: 'STORE_DISCONNECTED', transient: true },
  throttledOp: { code: 'STORE_UNREACHABLE', transient: true },
  sessionExpired: { code: 'STORE_SESSION_EXPIRED', transient: true },
  unknownSession: { code: 'STORE_SESSION_EXPIRED', transient: true },
  noNode: { code: 'STORE_NOT_FOUND' },
  noAuth: { code: 'STORE_FORBIDDEN' },
  invalidAcl: { code: 'STORE_FORBIDDEN' },
  notReadOnly: { code: 'STORE_FORBIDDEN', transient: true },
  badVersion: { code: 'STORE_CONFLICT' },
  nodeExists: { code: 'STORE_CONFLICT' },
  notEmpty: { code: 'STORE_CONFLICT' },
  noChildrenForEphemerals: { code: 'STORE_CONFLICT' },
  authFailed: { code: 'STORE_AUTH_FAILED' },
  sessionClosedRequireSaslAuth: { code: 'STORE_AUTH_FAILED' },
  quotaExceeded: { code: 'STORE_TOO_LARGE' },
};

const MEANING_BY_CODE = new Map(Object.entries(MEANING).map(([name, m]) => [SERVER_ERROR[name as ServerErrorName], m]));

/** A request that the server answered with an error code. */
export class ServerRefusal extends CodedError {
  readonly serverCode: number;

  constructor(serverCode: number, what: string) {
    const meaning = MEANING_BY_CODE.get(serverCode as (typeof SERVER_ERROR)[ServerErrorName]);
    const name = NAME_BY_CODE.get(serverCode) ?? 'a code that vipkeeper does not know';
    super(meaning?.code ?? 'STORE_PROTOCOL', `${what}: the server answered ${serverCode} (${name})`, {
      transient: meaning?.transient ?? false,
    });
    this.serverCode = serverCode;
  }
}

/** True when the server itself refused with this code; false for everything that went wrong on the way. */
export function isRefusal(error: CodedError, name: ServerErrorName): boolean {
  return error instanceof ServerRefusal && error.serverCode === SERVER_ERROR[name];
}

/** Watcher event types: org.apache.zookeeper.Watcher.Event.EventType. Others may arrive and count as "anything". */
export const EVENT = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const;

/** Flags of create: org.apache.zookeeper.CreateMode. */
export const CREATE = { persistent: 0, ephemeral: 1, container: 4 } as const;
export type CreateFlag = (typeof CREATE)[keyof typeof CREATE];

/** AddWatchMode.PERSISTENT_RECURSIVE: org.apache.zookeeper.AddWatchMode. */
export const WATCH_PERSISTENT_RECURSIVE = 1;

/** Watcher.WatcherType.Any: org.apache.zookeeper.Watcher. */
export const WATCHER_ANY = 3;

/** The version that matches every version of a node. */
export const ANY_VERSION = -1;

/** `jute.maxbuffer`: what a server takes in one request unless told otherwise (BinaryInputArchive.maxBuffer). */
export const DEFAULT_MAX_REQUEST_BYTES = 0xfffff;

/** Session ids are signed 64-bit numbers on the wire; people and logs know them as unsigned hex. */
export function formatSession(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}

/** @returns the text in the form of `formatSession`, or undefined when it is no session id */
export function normaliseSession(text: string): string | undefined {
  return /^0x[0-9a-f]{1,16}$/i.test(text) ? formatSession(BigInt(text)) : undefined;
}

export function formatZxid(zxid: bigint): string {
  return `zxid 0x${BigInt.asUintN(64, zxid).toString(16)}`;
}
