/**
 * Several operations in one request. On the wire every item is preceded by a MultiHeader (int type, bool done,
 * int err) and the list ends with one that has type -1 and done set: org.apache.zookeeper.MultiOperationRecord,
 * MultiResponse.
 */
import { DecodeError } from '../../core/bytes.ts';
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { readNodeData, readStat, writeCreate } from './calls.ts';
import type { Call, NewNode, NodeData } from './calls.ts';
import { readBool, readString, readVector, writeBool, writeBuffer, writeString } from './jute.ts';
import { OP } from './protocol.ts';

const END = -1;
const HEADER_ERROR = -1;

function writeHeader(writer: ByteWriter, type: number, done: boolean): void {
  writer.i32be(type);
  writeBool(writer, done);
  writer.i32be(HEADER_ERROR);
}

/** Reads items until the closing header; `limit` is the number of operations that were sent. */
function readItems<T>(reader: ByteReader, limit: number, item: (type: number, reader: ByteReader) => T): T[] {
  const items: T[] = [];
  for (;;) {
    const type = reader.i32be();
    const done = readBool(reader);
    reader.skip(4);
    if (done) return items;
    if (items.length === limit) throw new DecodeError(`more than the ${limit} results asked for`, reader.offset);
    items.push(item(type, reader));
  }
}

export type MultiOp =
  | ({ readonly kind: 'create' } & NewNode)
  | { readonly kind: 'set'; readonly path: string; readonly bytes: Uint8Array; readonly version: number }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number }
  | { readonly kind: 'check'; readonly path: string; readonly version: number };

/**
 * `applied` holds the version of each node afterwards, in order; null where the operation leaves none. Otherwise
 * nothing was done, and `index` names the operation that the server refused.
 */
export type MultiOutcome =
  | { readonly kind: 'applied'; readonly versions: readonly (number | null)[] }
  | { readonly kind: 'refused'; readonly index: number; readonly serverCode: number };

function writeOp(writer: ByteWriter, op: MultiOp): void {
  switch (op.kind) {
    case 'create':
      writeHeader(writer, OP.create, false);
      writeCreate(writer, op);
      return;
    case 'set':
      writeHeader(writer, OP.setData, false);
      writeString(writer, op.path);
      writeBuffer(writer, op.bytes);
      writer.i32be(op.version);
      return;
    case 'delete':
    case 'check':
      writeHeader(writer, op.kind === 'delete' ? OP.delete : OP.check, false);
      writeString(writer, op.path);
      writer.i32be(op.version);
      return;
  }
}

type ItemResult = { readonly version: number | null } | { readonly serverCode: number };

function readResult(type: number, reader: ByteReader): ItemResult {
  switch (type) {
    case OP.create:
      // CreateResponse: ustring path. A new node is at version 0.
      readString(reader);
      return { version: 0 };
    case OP.setData:
      return { version: readStat(reader).version };
    case OP.delete:
    case OP.check:
      return { version: null };
    case OP.error:
      return { serverCode: reader.i32be() };
    default:
      throw new DecodeError(`a result of type ${type} in a multi`, reader.offset);
  }
}

/** All or nothing, in order. */
export function multi(ops: readonly MultiOp[]): Call<MultiOutcome> {
  return {
    op: OP.multi,
    what: `multi of ${ops.length} (first: ${ops[0]?.kind ?? 'none'} ${ops[0]?.path ?? ''})`,
    encode: (writer) => {
      for (const op of ops) writeOp(writer, op);
      writeHeader(writer, END, true);
    },
    decode: (reader) => outcomeOf(readItems(reader, ops.length, readResult), ops.length, reader.offset),
  };
}

/** The server marks operations before the refused one with 0 and those behind it with -2 (runtimeInconsistency). */
function outcomeOf(results: readonly ItemResult[], count: number, offset: number): MultiOutcome {
  if (results.length !== count) throw new DecodeError(`${results.length} results for ${count} operations`, offset);
  const versions: (number | null)[] = [];
  for (const [index, result] of results.entries()) {
    if ('version' in result) versions.push(result.version);
    else if (result.serverCode !== 0) return { kind: 'refused', index, serverCode: result.serverCode };
  }
  if (versions.length !== count) throw new DecodeError('a multi that neither failed nor was applied', offset);
  return { kind: 'applied', versions };
}

/** One item of a multiRead: the reply, or the server's error code. */
export type ReadResult<T> = { readonly value: T } | { readonly serverCode: number };

function multiRead<T>(
  type: number,
  what: string,
  paths: readonly string[],
  body: (reader: ByteReader) => T,
): Call<readonly ReadResult<T>[]> {
  const item = (itemType: number, reader: ByteReader): ReadResult<T> => {
    if (itemType === OP.error) return { serverCode: reader.i32be() };
    if (itemType !== type) throw new DecodeError(`a result of type ${itemType} in a multiRead`, reader.offset);
    return { value: body(reader) };
  };
  return {
    op: OP.multiRead,
    what: `${what} of ${paths.length} (first: ${paths[0] ?? ''})`,
    encode: (writer) => {
      for (const path of paths) {
        writeHeader(writer, type, false);
        writeString(writer, path);
        writeBool(writer, false);
      }
      writeHeader(writer, END, true);
    },
    decode: (reader) => {
      const results = readItems(reader, paths.length, item);
      if (results.length === paths.length) return results;
      throw new DecodeError(`${results.length} results for ${paths.length} reads`, reader.offset);
    },
  };
}

/** Since server 3.6. One item's error does not disturb the others. */
export function multiGetData(paths: readonly string[]): Call<readonly ReadResult<NodeData>[]> {
  return multiRead(OP.getData, 'multiRead getData', paths, readNodeData);
}

/** Since server 3.6. */
export function multiGetChildren(paths: readonly string[]): Call<readonly ReadResult<readonly string[]>[]> {
  return multiRead(OP.getChildren, 'multiRead getChildren', paths, (reader) => readVector(reader, readString));
}
