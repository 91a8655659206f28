import { DecodeError } from '../../core/bytes.ts';
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { assertNever } from '../../core/result.ts';
import { NLA_F_NESTED } from './constants.ts';
import {
  beginAttribute,
  endAttribute,
  readAttributeHeader,
  readString,
  skipPadding,
  writeAttributeHeader,
  writePadding,
} from './message.ts';

/*
 * Attributes declared as data. A table names each attribute once, with its number, type and byte order; the static
 * type of a set of values, its encoder and its decoder all follow from the table.
 */

interface Values {
  u8: number;
  u16: number;
  u32: number;
  i32: number;
  /** Network order. */
  be16: number;
  u64: bigint;
  /** NUL-terminated. */
  string: string;
  bytes: Uint8Array;
  /** struct { __u32 flags; __u32 mask; } */
  flags: { readonly flags: number; readonly mask: number };
}

export type AttributeSpec =
  | { readonly id: number; readonly type: keyof Values }
  | { readonly id: number; readonly type: 'nested'; readonly table: AttributeTable };

export interface AttributeTable {
  readonly [name: string]: AttributeSpec;
}

type ValueOf<S extends AttributeSpec> = S extends { readonly type: 'nested'; readonly table: infer T }
  ? T extends AttributeTable
    ? AttributeValues<T>
    : never
  : S extends { readonly type: infer K }
    ? K extends keyof Values
      ? Values[K]
      : never
    : never;

/** What a set of attributes holds: each may be absent. */
export type AttributeValues<T extends AttributeTable> = { readonly [K in keyof T]?: ValueOf<T[K]> };

/** Bytes of the types that always have the same. */
const SIZES = { u8: 1, u16: 2, u32: 4, i32: 4, be16: 2, u64: 8, flags: 8 } as const satisfies Partial<
  Record<keyof Values, number>
>;

/** What is worked out of a table once, on its first use. */
interface Prepared {
  readonly inOrder: readonly PreparedAttribute[];
  /** By number; the numbers are small. */
  readonly byId: readonly (PreparedAttribute | undefined)[];
}

export interface PreparedAttribute {
  readonly name: string;
  readonly spec: AttributeSpec;
  /** nla_type with its flags. */
  readonly wireType: number;
  /** Bytes of the value; null where it depends on the value. */
  readonly size: number | null;
}

const preparedTables = new WeakMap<AttributeTable, Prepared>();

function prepared(table: AttributeTable): Prepared {
  const known = preparedTables.get(table);
  if (known !== undefined) return known;
  const inOrder = Object.entries(table).map(([name, spec]): PreparedAttribute => {
    const wireType = spec.type === 'nested' ? spec.id | NLA_F_NESTED : spec.id;
    const sizes: Partial<Record<AttributeSpec['type'], number>> = SIZES;
    return { name, spec, wireType, size: sizes[spec.type] ?? null };
  });
  const byId: (PreparedAttribute | undefined)[] = [];
  for (const each of inOrder) byId[each.spec.id] = each;
  const made = { inOrder, byId };
  preparedTables.set(table, made);
  return made;
}

/** What the table says of a number, if it knows it. */
export function attributeOf(table: AttributeTable, id: number): PreparedAttribute | undefined {
  return prepared(table).byId[id];
}

/** Writes the values in the table's order; what is absent is left out. */
export function writeTable<T extends AttributeTable>(writer: ByteWriter, table: T, values: AttributeValues<T>): void {
  const given: Readonly<Record<string, unknown>> = values;
  for (const { name, spec, wireType, size } of prepared(table).inOrder) {
    const value = given[name];
    if (value === undefined) continue;
    if (size === null) {
      const start = beginAttribute(writer, wireType);
      writeValue(writer, spec, value);
      endAttribute(writer, start);
    } else {
      writeAttributeHeader(writer, wireType, size);
      writeValue(writer, spec, value);
      writePadding(writer, size);
    }
  }
}

function writeValue(writer: ByteWriter, spec: AttributeSpec, value: unknown): void {
  switch (spec.type) {
    case 'nested':
      writeTable(writer, spec.table, value as AttributeValues<AttributeTable>);
      break;
    case 'u8':
      writer.u8(value as Values['u8']);
      break;
    case 'u16':
      writer.u16le(value as Values['u16']);
      break;
    case 'u32':
      writer.u32le(value as Values['u32']);
      break;
    case 'i32':
      writer.i32le(value as Values['i32']);
      break;
    case 'be16':
      writer.u16be(value as Values['be16']);
      break;
    case 'u64':
      writer.u64le(value as Values['u64']);
      break;
    case 'string':
      writer.bytes(Buffer.from(`${value as Values['string']}\0`, 'utf8'));
      break;
    case 'bytes':
      writer.bytes(value as Values['bytes']);
      break;
    case 'flags': {
      const { flags, mask } = value as Values['flags'];
      writer.u32le(flags).u32le(mask);
      break;
    }
    default:
      assertNever(spec);
  }
}

/**
 * Reads attributes up to the fence. Numbers that the table lacks are skipped: newer kernels say more. A value of the
 * wrong size is an error.
 * @throws DecodeError
 */
export function readTable<T extends AttributeTable>(reader: ByteReader, table: T): AttributeValues<T> {
  const { byId } = prepared(table);
  const found: Record<string, unknown> = {};
  while (reader.remaining > 0) {
    const { id, length } = readAttributeHeader(reader);
    const known = byId[id];
    if (known === undefined) {
      reader.skip(length);
    } else if (known.size === null) {
      const value = reader.fenced(length);
      found[known.name] = readValue(value, known.spec);
      value.expectEnd(known.name);
    } else {
      if (length !== known.size) throw new DecodeError(`${known.name} of ${length} bytes`, reader.offset);
      found[known.name] = readValue(reader, known.spec);
    }
    skipPadding(reader, length);
  }
  return found as AttributeValues<T>;
}

/** Where the size is not a fixed one, all that remains in the reader is the value. */
function readValue(value: ByteReader, spec: AttributeSpec): unknown {
  switch (spec.type) {
    case 'nested':
      return readTable(value, spec.table);
    case 'u8':
      return value.u8();
    case 'u16':
      return value.u16le();
    case 'u32':
      return value.u32le();
    case 'i32':
      return value.i32le();
    case 'be16':
      return value.u16be();
    case 'u64':
      return value.u64le();
    case 'string':
      return readString(value);
    case 'bytes': {
      // A copy: the datagram's buffer is used again for the next one.
      const bytes = value.rest();
      value.skip(value.remaining);
      return bytes;
    }
    case 'flags':
      return { flags: value.u32le(), mask: value.u32le() };
    default:
      return assertNever(spec);
  }
}

/** @throws DecodeError when the kernel left out what we cannot do without */
export function required<V>(value: V | undefined, what: string, reader: ByteReader): V {
  if (value === undefined) throw new DecodeError(`${what} is missing`, reader.offset);
  return value;
}
