/**
 * The packets that make and keep a session. Layouts: zookeeper-jute/src/main/resources/zookeeper.jute, module
 * org.apache.zookeeper.proto; the order of their use: org.apache.zookeeper.ClientCnxn.
 */
import type { ByteReader } from '../../core/bytes.ts';
import { packet, readBool, readBuffer, writeBool, writeBuffer, writeString } from './jute.ts';
import { OP, ServerRefusal, XID } from './protocol.ts';

/** What proves to a server that a session is ours. */
export interface SessionIdentity {
  readonly id: bigint;
  readonly password: Uint8Array;
}

const NO_PASSWORD = new Uint8Array(16);
const PROTOCOL_VERSION = 0;

export interface Greeting {
  readonly identity: SessionIdentity | null;
  /** The newest transaction that we have seen: a server that lags behind it refuses us. */
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  readonly readOnly: boolean;
}

/** ConnectRequest: int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, buffer passwd, bool readOnly. */
export function encodeGreeting(greeting: Greeting): Uint8Array {
  return packet((writer) => {
    writer.i32be(PROTOCOL_VERSION).i64be(greeting.lastZxid).i32be(greeting.timeoutMs);
    writer.i64be(greeting.identity?.id ?? 0n);
    writeBuffer(writer, greeting.identity?.password ?? NO_PASSWORD);
    writeBool(writer, greeting.readOnly);
  });
}

export interface Welcome {
  readonly identity: SessionIdentity;
  /** The session's time-out as the server decided it; 0 or less means that the session we asked for has expired. */
  readonly timeoutMs: number;
  readonly readOnly: boolean;
}

/** What a ReplyHeader is long; a ConnectResponse is longer. */
const REPLY_HEADER_BYTES = 16;

/**
 * ConnectResponse: int protocolVersion, int timeOut, long sessionId, buffer passwd, bool readOnly (since 3.4).
 * @throws ServerRefusal in place of a welcome: a read-only server whose localSessionsEnabled is false makes no session,
 *   and says so as if to a request (ReadOnlyRequestProcessor.sendErrorResponse)
 */
export function decodeWelcome(reader: ByteReader): Welcome {
  if (reader.remaining === REPLY_HEADER_BYTES) {
    throw new ServerRefusal(decodeReplyHeader(reader).errorCode, 'a new session');
  }
  reader.skip(4);
  const timeoutMs = reader.i32be();
  const id = reader.i64be();
  const password = new Uint8Array(readBuffer(reader));
  const readOnly = reader.remaining > 0 && readBool(reader);
  reader.expectEnd('ConnectResponse');
  return { identity: { id, password }, timeoutMs, readOnly };
}

/** ReplyHeader: int xid, long zxid, int err. */
export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  readonly errorCode: number;
}

export function decodeReplyHeader(reader: ByteReader): ReplyHeader {
  return { xid: reader.i32be(), zxid: reader.i64be(), errorCode: reader.i32be() };
}

/** RequestHeader: int xid, int type. A ping has no body. */
export function encodePing(): Uint8Array {
  return packet((writer) => {
    writer.i32be(XID.ping).i32be(OP.ping);
  });
}

/** AuthPacket: int type (always 0), ustring scheme, buffer auth. */
export function encodeAuth(scheme: string, credentials: string): Uint8Array {
  return packet((writer) => {
    writer.i32be(XID.auth).i32be(OP.auth).i32be(0);
    writeString(writer, scheme);
    writeBuffer(writer, new TextEncoder().encode(credentials));
  });
}

export function encodeCloseSession(xid: number): Uint8Array {
  return packet((writer) => {
    writer.i32be(xid).i32be(OP.closeSession);
  });
}
