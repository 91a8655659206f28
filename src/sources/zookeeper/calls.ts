/**
 * One object per request: how it is written, and how its reply is read. Layouts: zookeeper.jute, modules
 * org.apache.zookeeper.proto and org.apache.zookeeper.data.
 */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { readBuffer, readString, readVector, writeBool, writeBuffer, writeString, writeVector } from './jute.ts';
import { CREATE, OP, WATCHER_ANY, WATCH_PERSISTENT_RECURSIVE } from './protocol.ts';
import type { AclEntry } from './acl.ts';
import type { CreateFlag } from './protocol.ts';

/** A request that can be sent over a session. `decode` sees the body of a reply without error, and all of it. */
export interface Call<T> {
  readonly op: number;
  /** For error messages: "getData /vipkeeper/config/vips/web". */
  readonly what: string;
  encode(writer: ByteWriter): void;
  decode(reader: ByteReader): T;
}

export interface Stat {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly version: number;
  /** The session that holds the node; 0 when it is not ephemeral. */
  readonly ephemeralOwner: bigint;
  readonly childCount: number;
}

/**
 * Stat: long czxid, long mzxid, long ctime, long mtime, int version, int cversion, int aversion, long ephemeralOwner,
 * int dataLength, int numChildren, long pzxid.
 */
export function readStat(reader: ByteReader): Stat {
  const czxid = reader.i64be();
  const mzxid = reader.i64be();
  reader.skip(16);
  const version = reader.i32be();
  reader.skip(8);
  const ephemeralOwner = reader.i64be();
  reader.skip(4);
  const childCount = reader.i32be();
  reader.skip(8);
  return { czxid, mzxid, version, ephemeralOwner, childCount };
}

export interface NodeData {
  /** A view into the frame: copy it to keep it. */
  readonly bytes: Uint8Array;
  readonly stat: Stat;
}

/** GetDataResponse: buffer data, Stat stat. */
export function readNodeData(reader: ByteReader): NodeData {
  const bytes = readBuffer(reader);
  return { bytes, stat: readStat(reader) };
}

function pathAndWatch(path: string, watch: boolean): (writer: ByteWriter) => void {
  return (writer) => {
    writeString(writer, path);
    writeBool(writer, watch);
  };
}

export function getData(path: string, watch = false): Call<NodeData> {
  return { op: OP.getData, what: `getData ${path}`, encode: pathAndWatch(path, watch), decode: readNodeData };
}

/** A watch on a path without a node fires when it is created. */
export function exists(path: string, watch = false): Call<Stat> {
  return { op: OP.exists, what: `exists ${path}`, encode: pathAndWatch(path, watch), decode: readStat };
}

/** Of a request for `exists`, besides the path: int xid, int op, int length, bool watch. */
const EXISTS_BYTES = 13;

/** A question of so many bytes about a node that is not there: shows whether a server takes as much in one request. */
export function questionOf(bytes: number): Call<Stat> {
  const path = `/${'-'.repeat(bytes - EXISTS_BYTES - 1)}`;
  return { ...exists(path), what: `a question of ${bytes} bytes` };
}

/** GetChildren2Response: vector<ustring> children, Stat stat. The names come in no order. */
export function getChildren(path: string, watch = false): Call<readonly string[]> {
  return {
    op: OP.getChildren2,
    what: `getChildren ${path}`,
    encode: pathAndWatch(path, watch),
    decode: (reader) => {
      const children = readVector(reader, readString);
      readStat(reader);
      return children;
    },
  };
}

export interface NewNode {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly acl: readonly AclEntry[];
  readonly flag: CreateFlag;
}

/** CreateRequest: ustring path, buffer data, vector<ACL> acl, int flags. ACL: int perms, Id { ustring, ustring }. */
export function writeCreate(writer: ByteWriter, node: NewNode): void {
  writeString(writer, node.path);
  writeBuffer(writer, node.bytes);
  writeVector(writer, node.acl, (inner, entry) => {
    inner.i32be(entry.permissions);
    writeString(inner, entry.scheme);
    writeString(inner, entry.id);
  });
  writer.i32be(node.flag);
}

/** Create2Response: ustring path, Stat stat. */
export function readCreated(reader: ByteReader): Stat {
  readString(reader);
  return readStat(reader);
}

/** Servers before 3.5.3 know no containers: nodes that the server removes once their last child is gone. */
export function create(node: NewNode): Call<Stat> {
  return {
    op: node.flag === CREATE.container ? OP.createContainer : OP.create2,
    what: `create ${node.path}`,
    encode: (writer) => writeCreate(writer, node),
    decode: readCreated,
  };
}

/** SyncRequest, SyncResponse: ustring path. The server catches up with the leader before it answers what follows. */
export function sync(path: string): Call<void> {
  return {
    op: OP.sync,
    what: `sync ${path}`,
    encode: (writer) => writeString(writer, path),
    decode: (reader) => void readString(reader),
  };
}

/** AddWatchRequest: ustring path, int mode; the reply is an ErrorResponse: int err. Since server 3.6. */
export function addRecursiveWatch(path: string): Call<void> {
  return {
    op: OP.addWatch,
    what: `addWatch ${path}`,
    encode: (writer) => {
      writeString(writer, path);
      writer.i32be(WATCH_PERSISTENT_RECURSIVE);
    },
    decode: (reader) => reader.skip(4),
  };
}

/** RemoveWatchesRequest: ustring path, int type; the reply has no body. Since server 3.5. */
export function removeWatches(path: string): Call<void> {
  return {
    op: OP.removeWatches,
    what: `removeWatches ${path}`,
    encode: (writer) => {
      writeString(writer, path);
      writer.i32be(WATCHER_ANY);
    },
    decode: () => undefined,
  };
}

/** WatcherEvent: int type, int state, ustring path. */
export interface WatchEvent {
  /** One of `EVENT`, or a number that a newer server invented. */
  readonly type: number;
  readonly path: string;
}

export function decodeWatchEvent(reader: ByteReader): WatchEvent {
  const type = reader.i32be();
  reader.skip(4);
  return { type, path: readString(reader) };
}
