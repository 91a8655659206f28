/**
 * Jute, ZooKeeper's serialisation (org.apache.jute.BinaryInputArchive): everything big-endian, a boolean is one byte,
 * buffers and strings carry a 32-bit length where -1 means null, vectors a 32-bit count where -1 means null.
 */
import { ByteWriter, DecodeError } from '../../core/bytes.ts';
import type { ByteReader } from '../../core/bytes.ts';

const decoder = new TextDecoder('utf-8');
const NOTHING = new Uint8Array(0);

const LENGTH_BYTES = 4;
/** The smallest encoding of anything that we read from a vector: a length. */
const MIN_ITEM_BYTES = LENGTH_BYTES;

export function readBool(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new DecodeError(`${value} is no boolean`, reader.offset - 1);
  return value === 1;
}

/** A view into the frame, not a copy. Null is read as empty: nothing of ours tells the two apart. */
export function readBuffer(reader: ByteReader): Uint8Array {
  const length = reader.i32be();
  if (length === -1) return NOTHING;
  return reader.bytes(length);
}

/** Null is read as the empty string. */
export function readString(reader: ByteReader): string {
  return decoder.decode(readBuffer(reader));
}

/** @throws DecodeError when the count cannot fit in what is left: a lying count never makes us allocate. */
export function readVector<T>(reader: ByteReader, item: (reader: ByteReader) => T): T[] {
  const count = reader.i32be();
  if (count === -1) return [];
  if (count < 0 || count * MIN_ITEM_BYTES > reader.remaining) {
    throw new DecodeError(`a vector of ${count} items in ${reader.remaining} bytes`, reader.offset - 4);
  }
  return Array.from({ length: count }, () => item(reader));
}

export function writeBool(writer: ByteWriter, value: boolean): void {
  writer.u8(value ? 1 : 0);
}

export function writeBuffer(writer: ByteWriter, value: Uint8Array): void {
  writer.i32be(value.length).bytes(value);
}

export function writeString(writer: ByteWriter, value: string): void {
  const at = writer.length;
  writer.i32be(0).utf8(value);
  writer.patchI32be(at, writer.length - at - LENGTH_BYTES);
}

export function writeVector<T>(writer: ByteWriter, items: readonly T[], item: (writer: ByteWriter, value: T) => void) {
  writer.i32be(items.length);
  for (const value of items) item(writer, value);
}

/** A whole packet: the length of the body, then the body. */
export function packet(body: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(128).i32be(0);
  body(writer);
  writer.patchI32be(0, writer.length - 4);
  return writer.finish();
}
