import { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { Likeness } from '../core/bytes.ts';
import type { TrafficStats } from './dataplane.ts';
import { EntryLayout } from './entry-layout.ts';
import type { ConnectionCounter } from './entry-layout.ts';
import type { DumpSink } from './netlink/dump-sink.ts';
import { HEADER_LENGTH, SEQUENCE_OFFSET, writeReceived } from './netlink/message.ts';
import type { NetlinkMessage } from './netlink/message.ts';

/** One message of a dump. */
export interface LoggedEntry<C> {
  /** What is configured; null = this port has no words for it. */
  readonly configured: C | null;
  readonly layout: EntryLayout;
  /** Where the message begins, with its netlink header. */
  readonly start: number;
}

const WORD = 4;

/**
 * What one dump said: what is configured, and the messages themselves, in one piece and as they were received, for
 * whoever wants the counters. A message of a later dump that differs from one of them in counters only takes its place,
 * even if that dump then fails: what it counted is true all the same.
 */
export class DumpLog<C> {
  static readonly EMPTY = new DumpLog<never>(new Uint8Array(0), [], 0);

  readonly entries: readonly LoggedEntry<C>[];
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #messages: ByteReader;
  #revision: number;

  /** @param bytes in memory of their own, each message padded to four bytes */
  constructor(bytes: Uint8Array, entries: readonly LoggedEntry<C>[], revision: number) {
    this.entries = entries;
    this.bytes = bytes;
    this.#words = wordsOf(bytes);
    this.#messages = new ByteReader(bytes);
    this.#revision = revision;
  }

  /** Grows with everything that is told anew, be it a counter. */
  get revision(): number {
    return this.#revision;
  }

  /** @param messages that stand there from now on, which are like those that did but for their counters */
  renew(messages: Uint8Array, start: number): void {
    this.bytes.set(messages, start);
    this.#revision++;
  }

  /** How the payload of a later message compares with the one that stood in its place: 'alike' = but for its counters. */
  compared(payload: ByteReader, { layout, start }: LoggedEntry<C>): Likeness {
    return payload.compared(this.#messages, start + HEADER_LENGTH, layout.counters);
  }

  /**
   * The same for a whole datagram and all messages that stood in its place, headers and all: nothing but their sequence
   * numbers may be others. Unlike those, they are compared at once; a large table is read as fast as that goes.
   * @param index of the first of them
   * @returns how many they are, where they are not 'different'
   */
  comparedAll(
    datagram: Uint8Array,
    sequence: number,
    index: number,
  ): { readonly likeness: Likeness; readonly count: number } {
    const { entries } = this;
    const from = entries[index]?.start ?? this.bytes.length;
    const end = from + datagram.length;
    if (end > this.bytes.length || datagram.byteOffset % WORD !== 0) return DIFFERENT;
    let next = index;
    let border = from;
    for (; border < end; border = entries[++next]?.start ?? this.bytes.length) {
      this.#words[(border + SEQUENCE_OFFSET) / WORD] = sequence;
    }
    if (border !== end) return DIFFERENT;
    const count = next - index;
    if (Buffer.compare(datagram, this.bytes.subarray(from, end)) === 0) return { likeness: 'same', count };
    const received = wordsOf(datagram);
    for (let at = index; at < next; at++) {
      const entry = entries[at];
      if (entry === undefined || !this.#isAlike(received, entry, from)) return DIFFERENT;
    }
    return { likeness: 'alike', count };
  }

  stats({ layout, start }: LoggedEntry<C>): TrafficStats {
    return layout.statsIn(this.#messages, start + HEADER_LENGTH);
  }

  /** @returns connections of a destination, as the kernel counts them in one of three ways */
  connections(which: ConnectionCounter, { layout, start }: LoggedEntry<C>): number {
    return layout.connectionsIn(which, this.#messages, start + HEADER_LENGTH);
  }

  /** @param from where what was received begins here */
  #isAlike(received: Int32Array, { layout, start }: LoggedEntry<C>, from: number): boolean {
    // Looked up once, and counted in whole numbers: in a busy table every entry goes through here.
    const words = this.#words;
    const { compared } = layout;
    const { length } = compared;
    const payload = (start + HEADER_LENGTH) >> 2;
    const away = from >> 2;
    for (let word = start >> 2; word < payload; word++) if (words[word] !== received[word - away]) return false;
    for (let at = 0; at < length; at++) {
      const word = payload + (compared[at] ?? 0);
      if (words[word] !== received[word - away]) return false;
    }
    return true;
  }
}

const DIFFERENT = { likeness: 'different', count: 0 } as const;

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / WORD));
}

interface News<C> {
  readonly writer: ByteWriter;
  readonly entries: LoggedEntry<C>[];
}

/** What a first dump begins with: a few messages. */
const LEAST_BYTES = 4_096;

/**
 * Takes a dump next to the one before. Most of a table is what it was, in the same order: as long as that is so,
 * nothing is decoded, and a dump that said nothing new but counters has the log before as its own.
 */
export class DumpLogger<C> implements DumpSink {
  readonly #before: DumpLog<C>;
  readonly #decode: (payload: ByteReader) => C | null;
  /** Null while everything is configured as it was. */
  #news: News<C> | null = null;
  /** Of the last message that had to be looked into: that of the next is the same but for a few. */
  #layout: EntryLayout | null = null;

  /** @param decode tells what is configured; the bytes are valid only meanwhile */
  constructor(before: DumpLog<C>, decode: (payload: ByteReader) => C | null) {
    this.#before = before;
    this.#decode = decode;
  }

  /** @throws DecodeError */
  take(message: NetlinkMessage, index: number): void {
    if (index === 0) this.#news = null;
    const { payload } = message;
    const before = this.#before.entries[index];
    const likeness = before === undefined ? 'different' : this.#before.compared(payload, before);
    if (before !== undefined && likeness !== 'different' && this.#news === null) {
      const own = new ByteWriter(HEADER_LENGTH + payload.remaining);
      writeReceived(own, message);
      this.#before.renew(own.written(), before.start);
      return;
    }
    const { writer, entries } = (this.#news ??= this.#until(index));
    const start = writer.length;
    writeReceived(writer, message);
    if (before !== undefined && likeness !== 'different') {
      entries.push({ configured: before.configured, layout: before.layout, start });
      return;
    }
    const layout = this.#layoutOf(payload);
    entries.push({ configured: this.#decode(payload), layout, start });
  }

  takeKnown(datagram: Uint8Array, sequence: number, index: number): number {
    if (index === 0) this.#news = null;
    if (this.#news !== null) return 0;
    const { likeness, count } = this.#before.comparedAll(datagram, sequence, index);
    if (likeness === 'alike') this.#before.renew(datagram, this.#before.entries[index]?.start ?? 0);
    return count;
  }

  /** @param count of the messages, all of which were taken */
  finish(count: number): DumpLog<C> {
    if (count === 0) this.#news = null;
    if (this.#news !== null || count !== this.#before.entries.length) {
      const { writer, entries } = this.#news ?? this.#until(count);
      return new DumpLog(writer.finish(), entries, this.#before.revision + 1);
    }
    return this.#before;
  }

  /** What the log before has up to there. */
  #until(index: number): News<C> {
    const { bytes, entries } = this.#before;
    const writer = new ByteWriter(Math.max(bytes.length, LEAST_BYTES));
    writer.bytes(bytes.subarray(0, entries[index]?.start));
    return { writer, entries: entries.slice(0, index) };
  }

  #layoutOf(payload: ByteReader): EntryLayout {
    if (this.#layout?.fits(payload) !== true) this.#layout = new EntryLayout(payload);
    return this.#layout;
  }
}
