import { ByteReader, DecodeError } from '../core/bytes.ts';
import * as wire from './attributes.ts';
import type { TrafficStats } from './dataplane.ts';
import { attributeOf } from './netlink/attribute-table.ts';
import type { AttributeTable } from './netlink/attribute-table.ts';
import { GENL_HEADER_LENGTH } from './netlink/family.ts';
import { readAttributeHeader, skipPadding } from './netlink/message.ts';

/** Bytes that are compared at a time; every attribute begins at such a border. */
const WORD = 4;

type StatsCounter = keyof typeof wire.STATS64;
export type ConnectionCounter = 'activeConnections' | 'inactiveConnections' | 'persistentConnections';

/** Where the value of a counter begins, from the start of the message. What the kernel does not tell is not in it. */
type Offsets = Partial<Record<string, number>>;

/**
 * Where things stand in a message of a dump. Two thirds of it are counters, which change by themselves and which nobody
 * may ask for; the rest says what is configured, and so whether there is anything to do. Messages are compared without
 * their counters, and counters are read where they are known to stand.
 */
export class EntryLayout {
  /** Of each four bytes of the message: 1 = a counter's. All others are compared, the headers of counters too. */
  readonly counters: Uint8Array;
  /** Which four bytes those others are, in order. */
  readonly compared: Uint16Array;
  /** The same for values of any kind: all others are headers. */
  readonly #values: Uint8Array;
  readonly #offsets: Offsets = {};
  /** The message that this was found in. */
  readonly #example: ByteReader;

  /**
   * @param payload a whole message with its generic netlink header; it is not consumed
   * @throws DecodeError where a length lies, or a counter has not the size that is its own
   */
  constructor(payload: ByteReader) {
    const words = Math.ceil(payload.remaining / WORD);
    this.counters = new Uint8Array(words);
    this.#values = new Uint8Array(words);
    this.#example = new ByteReader(payload.rest());
    const reader = payload.ahead();
    const start = reader.offset;
    reader.skip(GENL_HEADER_LENGTH);
    this.#walk(reader, start, wire.COMMAND_COUNTERS);
    this.compared = Uint16Array.from([...this.counters.keys()].filter((word) => this.counters[word] !== 1));
  }

  /** Whether the same attributes stand in the same places there. */
  fits(payload: ByteReader): boolean {
    return payload.compared(this.#example, 0, this.#values) !== 'different';
  }

  /**
   * @param start of a message of this layout, from where `messages` is
   * @returns what the kernel counted, 0 where it does not tell: kernels before 4.1 have no 64-bit statistics
   */
  statsIn(messages: ByteReader, start: number): TrafficStats {
    return {
      connections: this.#total('connections', messages, start),
      inPackets: this.#total('inPackets', messages, start),
      outPackets: this.#total('outPackets', messages, start),
      inBytes: this.#total('inBytes', messages, start),
      outBytes: this.#total('outBytes', messages, start),
      connectionsPerSecond: this.#rate('connectionsPerSecond', messages, start),
      inPacketsPerSecond: this.#rate('inPacketsPerSecond', messages, start),
      outPacketsPerSecond: this.#rate('outPacketsPerSecond', messages, start),
      inBytesPerSecond: this.#rate('inBytesPerSecond', messages, start),
      outBytesPerSecond: this.#rate('outBytesPerSecond', messages, start),
    };
  }

  /** Of a destination; as `statsIn`. */
  connectionsIn(which: ConnectionCounter, messages: ByteReader, start: number): number {
    const offset = this.#offsets[which];
    return offset === undefined ? 0 : messages.u32leAt(start + offset);
  }

  #total(which: StatsCounter, messages: ByteReader, start: number): bigint {
    const offset = this.#offsets[which];
    return offset === undefined ? 0n : messages.u64leAt(start + offset);
  }

  /** As two halves: rates are small, and a bigint costs as much as all the rest. */
  #rate(which: StatsCounter, messages: ByteReader, start: number): number {
    const offset = this.#offsets[which];
    if (offset === undefined) return 0;
    return messages.u32leAt(start + offset) + 2 ** 32 * messages.u32leAt(start + offset + WORD);
  }

  #walk(reader: ByteReader, start: number, table: AttributeTable): void {
    while (reader.remaining > 0) {
      const { id, length } = readAttributeHeader(reader);
      const known = attributeOf(table, id);
      const from = reader.offset - start;
      const value = reader.fenced(length);
      if (known?.spec.type === 'nested') {
        this.#walk(value, start, known.spec.table);
      } else {
        this.#values.fill(1, from / WORD, Math.ceil((from + length) / WORD));
        if (known !== undefined) this.#note(known.name, known.size, from, length);
      }
      skipPadding(reader, length);
    }
  }

  #note(name: string, size: number | null, from: number, length: number): void {
    if (size !== null && length !== size) throw new DecodeError(`${name} of ${length} bytes`, from);
    this.counters.fill(1, from / WORD, Math.ceil((from + length) / WORD));
    this.#offsets[name] = from;
  }
}
