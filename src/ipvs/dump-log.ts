import { ByteReader, ByteWriter } from '../core/bytes.ts';
import type { TrafficStats } from './dataplane.ts';
import { EntryLayout } from './entry-layout.ts';
import type { ConnectionCounter } from './entry-layout.ts';

/** One message of a dump. */
export interface LoggedEntry<C> {
  /** What is configured; null = this port has no words for it. */
  readonly configured: C | null;
  readonly layout: EntryLayout;
  /** Where the message begins. */
  readonly start: number;
}

/** What one dump said: what is configured, and the messages themselves, in one piece, for whoever wants the counters. */
export class DumpLog<C> {
  static readonly EMPTY = new DumpLog<never>(new Uint8Array(0), []);

  readonly entries: readonly LoggedEntry<C>[];
  readonly bytes: Uint8Array;
  readonly #messages: ByteReader;

  constructor(bytes: Uint8Array, entries: readonly LoggedEntry<C>[]) {
    this.bytes = bytes;
    this.entries = entries;
    this.#messages = new ByteReader(bytes);
  }

  /** How a message of a later dump compares with the one that stood in its place: 'alike' = but for its counters. */
  compared(payload: ByteReader, { layout, start }: LoggedEntry<C>): ReturnType<ByteReader['compared']> {
    return payload.compared(this.#messages, start, layout.counters);
  }

  stats({ layout, start }: LoggedEntry<C>): TrafficStats {
    return layout.statsIn(this.#messages, start);
  }

  /** @returns connections of a destination, as the kernel counts them in one of three ways */
  connections(which: ConnectionCounter, { layout, start }: LoggedEntry<C>): number {
    return layout.connectionsIn(which, this.#messages, start);
  }
}

interface News<C> {
  readonly writer: ByteWriter;
  readonly entries: LoggedEntry<C>[];
}

/** What a first dump begins with: a few messages. */
const LEAST_BYTES = 4_096;

/**
 * Takes a dump message by message, next to the one before. Most of a table is what it was, in the same order: as long
 * as that is so, nothing is copied or decoded, and a dump that said nothing new has the log before as its own.
 */
export class DumpLogger<C> {
  readonly #before: DumpLog<C>;
  readonly #decode: (payload: ByteReader) => C | null;
  /** Null while everything is as it was. */
  #news: News<C> | null = null;
  /** Of the last message that had to be looked into: that of the next is the same but for a few. */
  #layout: EntryLayout | null = null;

  /** @param decode tells what is configured; the bytes are valid only meanwhile */
  constructor(before: DumpLog<C>, decode: (payload: ByteReader) => C | null) {
    this.#before = before;
    this.#decode = decode;
  }

  /**
   * @param index 0 begins anew, as a dump does that was interrupted
   * @throws DecodeError
   */
  take(payload: ByteReader, index: number): void {
    if (index === 0) this.#news = null;
    const before = this.#before.entries[index];
    const likeness = before === undefined ? 'different' : this.#before.compared(payload, before);
    if (likeness === 'same' && this.#news === null) return;
    const { writer, entries } = (this.#news ??= this.#until(index));
    const start = writer.length;
    writer.bytes(payload.ahead().bytes(payload.remaining));
    if (before !== undefined && likeness !== 'different') {
      entries.push({ configured: before.configured, layout: before.layout, start });
      return;
    }
    const layout = this.#layoutOf(payload);
    entries.push({ configured: this.#decode(payload), layout, start });
  }

  /** @param count of the messages, all of which were taken */
  finish(count: number): DumpLog<C> {
    const news = count === 0 ? null : this.#news;
    if (news === null && count === this.#before.entries.length) return this.#before;
    const { writer, entries } = news ?? this.#until(count);
    return new DumpLog(writer.finish(), entries);
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
