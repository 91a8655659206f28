import {
  ErrorCode,
  HEADER_LENGTH,
  HeaderError,
  MARKER_LENGTH,
  MAX_MESSAGE_LENGTH,
  MessageType,
  MIN_LENGTH,
} from './constants.ts';
import { type BgpError, resetError } from './notification.ts';

export interface RawMessage {
  readonly type: number;
  /** What follows the header; valid until the next push. */
  readonly body: Uint8Array;
}

export interface Framed {
  readonly messages: readonly RawMessage[];
  /** Set when the stream can no longer be followed; the messages before it still count. */
  readonly error: BgpError | null;
}

/**
 * Cuts a byte stream into messages, whatever way TCP has cut it (RFC 4271 section 4.1), and applies the header checks
 * of section 6.1. It holds at most one incomplete message. After an error it takes no further bytes.
 */
export class Framer {
  #held: Uint8Array = new Uint8Array(0);
  #broken = false;

  push(chunk: Uint8Array): Framed {
    if (this.#broken) return { messages: [], error: null };
    const bytes = this.#held.length === 0 ? chunk : concat(this.#held, chunk);
    const messages: RawMessage[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_LENGTH) {
      const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0);
      const type = bytes[at + 18] ?? 0;
      const error = headerError(bytes, at, length, type);
      if (error !== null) {
        this.#broken = true;
        this.#held = new Uint8Array(0);
        return { messages, error };
      }
      if (bytes.length - at < length) break;
      messages.push({ type, body: bytes.subarray(at + HEADER_LENGTH, at + length) });
      at += length;
    }
    this.#held = bytes.slice(at);
    return { messages, error: null };
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function headerError(bytes: Uint8Array, at: number, length: number, type: number): BgpError | null {
  for (let i = at; i < at + MARKER_LENGTH; i++) {
    if (bytes[i] !== 0xff) {
      return resetError(ErrorCode.messageHeader, HeaderError.connectionNotSynchronized, 'the marker is not all ones');
    }
  }
  const badLength = (): BgpError =>
    resetError(
      ErrorCode.messageHeader,
      HeaderError.badMessageLength,
      `message type ${type} with length ${length}`,
      Uint8Array.of(length >> 8, length & 0xff),
    );
  if (length < HEADER_LENGTH || length > MAX_MESSAGE_LENGTH) return badLength();
  const shortest = MIN_LENGTH[type];
  if (shortest === undefined) {
    const data = Uint8Array.of(type);
    return resetError(ErrorCode.messageHeader, HeaderError.badMessageType, `message type ${type}`, data);
  }
  if (length < shortest || (type === MessageType.keepalive && length !== shortest)) return badLength();
  return null;
}
