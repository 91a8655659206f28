import { ByteReader, DecodeError } from '../../core/bytes.ts';

export interface Frame {
  /** The body; for a frame above the limit only its first `HEAD_BYTES`, enough to know which request it answers. */
  readonly bytes: Uint8Array;
  /** The length that the frame announced. */
  readonly length: number;
  readonly truncated: boolean;
}

/** The size of a ReplyHeader (xid, zxid, err). */
const HEAD_BYTES = 16;
const PREFIX_BYTES = 4;

/**
 * Cuts the stream of a connection into frames: push bytes in, take whole frames out, however the bytes were split.
 * A frame above the limit is read past without being kept, so that one huge reply costs its caller an error and not
 * everybody the connection.
 */
export class Framer {
  readonly #maxBytes: number;
  /** What of the next frame (its prefix included) has come in; `#filled` bytes are valid. */
  #partial = new Uint8Array(PREFIX_BYTES);
  #filled = 0;
  #length: number | undefined;
  #skip = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Frames are views into `chunk` where they lie in it whole: the caller must not write into it again.
   * @throws DecodeError on a negative length; the connection cannot be used any further
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
        continue;
      }
      if (this.#length === undefined) {
        rest = this.#fill(rest, PREFIX_BYTES);
        if (this.#filled < PREFIX_BYTES) return;
        this.#begin(new ByteReader(this.#partial).i32be());
      }
      const length = this.#length ?? 0;
      const kept = Math.min(length, length > this.#maxBytes ? HEAD_BYTES : length);
      if (this.#filled === 0 && rest.length >= kept) {
        yield this.#end(rest.subarray(0, kept), length);
        rest = rest.subarray(kept);
        continue;
      }
      if (this.#partial.length < kept) this.#partial = new Uint8Array(kept);
      rest = this.#fill(rest, kept);
      if (this.#filled < kept) return;
      yield this.#end(this.#partial.subarray(0, kept), length);
    }
  }

  #begin(length: number): void {
    if (length < 0) throw new DecodeError(`a frame of ${length} bytes`, 0);
    this.#length = length;
    this.#filled = 0;
  }

  #end(bytes: Uint8Array, length: number): Frame {
    this.#length = undefined;
    this.#filled = 0;
    // A frame handed out may be a view of the partial buffer; the next one must not overwrite it.
    this.#partial = new Uint8Array(PREFIX_BYTES);
    this.#skip = length - bytes.length;
    return { bytes, length, truncated: this.#skip > 0 };
  }

  #fill(chunk: Uint8Array, until: number): Uint8Array {
    const taken = Math.min(until - this.#filled, chunk.length);
    this.#partial.set(chunk.subarray(0, taken), this.#filled);
    this.#filled += taken;
    return chunk.subarray(taken);
  }
}
