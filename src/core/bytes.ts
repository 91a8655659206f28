/** Thrown inside a codec when bytes do not fit the grammar; the codec's border turns it into a Result. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  /** Offset from the start of the outermost buffer. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${String(offset)})`);
    this.offset = offset;
  }
}

/** Of two runs of bytes: the same, the same but for bytes that may differ, or neither. */
export type Likeness = 'same' | 'alike' | 'different';

/**
 * Reads a buffer inside a fence: nothing behind `end` can be reached, and a nested reader's fence can only be
 * narrower. Every method names its byte order.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  readonly #end: number;

  /** @param view over all of `bytes`, where there is one already: it costs more than everything else here */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, view = viewOf(bytes)) {
    if (start < 0 || end > bytes.length || start > end) throw new DecodeError(`bad fence ${start}..${end}`, start);
    this.#bytes = bytes;
    this.#view = view;
    this.#at = start;
    this.#end = end;
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16be(): number {
    return this.#view.getUint16(this.#take(2), false);
  }

  u16le(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32be(): number {
    return this.#view.getUint32(this.#take(4), false);
  }

  u32le(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32be(): number {
    return this.#view.getInt32(this.#take(4), false);
  }

  i32le(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64be(): bigint {
    return this.#view.getBigUint64(this.#take(8), false);
  }

  u64le(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64be(): bigint {
    return this.#view.getBigInt64(this.#take(8), false);
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A copy of what remains; nothing is consumed. */
  rest(): Uint8Array {
    // Not slice(), which copies nothing where the bytes are a Buffer.
    return new Uint8Array(this.#bytes.subarray(this.#at, this.#end));
  }

  utf8(length: number): string {
    return new TextDecoder('utf-8').decode(this.bytes(length));
  }

  /** A reader over the next `length` bytes only; this one continues behind them. */
  fenced(length: number): ByteReader {
    const at = this.#take(length);
    return new ByteReader(this.#bytes, at, at + length, this.#view);
  }

  /** As many bytes further on. Nothing is consumed. */
  u32leAt(ahead: number): number {
    return this.#view.getUint32(this.#reachable(ahead, 4), true);
  }

  u64leAt(ahead: number): bigint {
    return this.#view.getBigUint64(this.#reachable(ahead, 8), true);
  }

  /** Another reader over what remains; this one stays where it is. */
  ahead(): ByteReader {
    return new ByteReader(this.#bytes, this.#at, this.#end, this.#view);
  }

  /**
   * Compares what remains here with as many bytes of another, `ahead` of where it is, four at a time.
   * @param exempt of each four bytes, whether they may differ (1): if no other do, the answer is 'alike'
   */
  compared(other: ByteReader, ahead: number, exempt: Uint8Array): Likeness {
    const length = this.remaining;
    const start = other.#at + ahead;
    if (length !== exempt.length * 4 || start + length > other.#end) return 'different';
    // Looked up once, and read as numbers that need no more than a register.
    const mine = this.#view;
    const theirs = other.#view;
    const from = this.#at;
    let likeness: Likeness = 'same';
    for (let at = 0; at < length; at += 4) {
      if (mine.getInt32(from + at, true) === theirs.getInt32(start + at, true)) continue;
      if (exempt[at >> 2] !== 1) return 'different';
      likeness = 'alike';
    }
    return likeness;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** @throws DecodeError when bytes are left over: a length that lies is never ignored. */
  expectEnd(what: string): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} bytes left over in ${what}`, this.#at);
  }

  #reachable(ahead: number, length: number): number {
    const at = this.#at + ahead;
    if (ahead < 0 || at + length > this.#end) throw new DecodeError(`${length} bytes wanted behind the fence`, at);
    return at;
  }

  #take(length: number): number {
    if (length < 0 || length > this.remaining) {
      throw new DecodeError(`${length} bytes wanted, ${this.remaining} left`, this.#at);
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Grows as it is written. `reserve…` and `patch…` serve lengths that are known only afterwards. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(initialSize = 256) {
    this.#bytes = new Uint8Array(initialSize);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16be(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, false);
    return this;
  }

  u16le(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32be(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, false);
    return this;
  }

  u32le(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  i32be(value: number): this {
    const at = this.#grow(4);
    this.#view.setInt32(at, value, false);
    return this;
  }

  i32le(value: number): this {
    const at = this.#grow(4);
    this.#view.setInt32(at, value, true);
    return this;
  }

  i64be(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigInt64(at, value, false);
    return this;
  }

  u64le(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Without a length. Paths come by the ten thousand: what is ASCII needs no encoder, which would cost more. */
  utf8(text: string): this {
    const at = this.#grow(text.length);
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) {
        this.#at = at;
        return this.bytes(new TextEncoder().encode(text));
      }
      this.#bytes[at + index] = unit;
    }
    return this;
  }

  zeros(count: number): this {
    const at = this.#grow(count);
    this.#bytes.fill(0, at, at + count);
    return this;
  }

  /** Overwrites two bytes at an offset that was written before. */
  patchU16be(offset: number, value: number): void {
    this.#checkWritten(offset, 2);
    this.#view.setUint16(offset, value, false);
  }

  patchU16le(offset: number, value: number): void {
    this.#checkWritten(offset, 2);
    this.#view.setUint16(offset, value, true);
  }

  patchU32le(offset: number, value: number): void {
    this.#checkWritten(offset, 4);
    this.#view.setUint32(offset, value, true);
  }

  patchI32be(offset: number, value: number): void {
    this.#checkWritten(offset, 4);
    this.#view.setInt32(offset, value, false);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  /** What was written, not copied: valid until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Starts anew in the same memory. */
  clear(): this {
    this.#at = 0;
    return this;
  }

  #checkWritten(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.#at) throw new RangeError(`patch at ${offset} outside ${this.#at}`);
  }

  /** Call it on a line of its own: it may replace the view, which must not have been looked up before. */
  #grow(length: number): number {
    const at = this.#at;
    const needed = at + length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = needed;
    return at;
  }
}
