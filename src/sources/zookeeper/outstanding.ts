import { DecodeError } from '../../core/bytes.ts';
import type { ByteReader } from '../../core/bytes.ts';
import { CodedError, describeError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Call } from './calls.ts';
import type { ReplyHeader } from './messages.ts';
import { ServerRefusal } from './protocol.ts';

/** A request on its way, its type forgotten: it knows itself how to read its reply. */
interface Pending {
  readonly xid: number;
  readonly what: string;
  readonly bytes: number;
  answer(header: ReplyHeader, body: ByteReader): void;
  fail(error: CodedError): void;
}

/**
 * The requests of one connection that wait for their replies, in the order they were sent, which is the order in
 * which the server answers. Each is answered exactly once.
 */
export class Outstanding {
  readonly #maxCalls: number;
  readonly #maxBytes: number;
  readonly #queue = new Map<number, Pending>();
  #bytes = 0;
  #lastXid = 0;

  constructor(limits: { readonly maxCalls: number; readonly maxBytes: number }) {
    this.#maxCalls = limits.maxCalls;
    this.#maxBytes = limits.maxBytes;
  }

  get count(): number {
    return this.#queue.size;
  }

  /** Bytes of the largest request; 0 when there is none. */
  get largest(): number {
    let largest = 0;
    for (const { bytes } of this.#queue.values()) largest = Math.max(largest, bytes);
    return largest;
  }

  /** The id for the next request: 1 and up, below 2^31; the negative ones have meanings of their own. */
  nextXid(): number {
    this.#lastXid = this.#lastXid === 0x7fffffff ? 1 : this.#lastXid + 1;
    return this.#lastXid;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#queue.size < this.#maxCalls && this.#bytes + bytes <= this.#maxBytes;
  }

  add<T>(xid: number, call: Call<T>, bytes: number): Promise<Result<T, CodedError>> {
    return new Promise((resolve) => {
      this.#bytes += bytes;
      this.#queue.set(xid, {
        xid,
        what: call.what,
        bytes,
        answer: (header, body) => resolve(readReply(call, header, body)),
        fail: (error) => resolve(err(error)),
      });
    });
  }

  /**
   * @returns the bytes of the request that was answered
   * @throws DecodeError when this is not the reply that is due: the stream has lost its order
   */
  answer(header: ReplyHeader, body: ByteReader): number {
    const pending = this.#takeDue(header.xid);
    pending.answer(header, body);
    return pending.bytes;
  }

  /**
   * Answers the request that is due without looking into its reply.
   * @returns the bytes of the request
   */
  failOne(xid: number, code: 'STORE_TOO_LARGE', reason: string): number {
    const pending = this.#takeDue(xid);
    pending.fail(new CodedError(code, `${pending.what}: ${reason}`));
    return pending.bytes;
  }

  failAll(error: CodedError): void {
    const all = [...this.#queue.values()];
    this.#queue.clear();
    this.#bytes = 0;
    for (const pending of all) pending.fail(error);
  }

  #takeDue(xid: number): Pending {
    const due = this.#queue.values().next().value;
    if (due?.xid !== xid) throw new DecodeError(`a reply to ${xid} where ${due?.xid ?? 'none'} is due`, 0);
    this.#queue.delete(xid);
    this.#bytes -= due.bytes;
    return due;
  }
}

function readReply<T>(call: Call<T>, header: ReplyHeader, body: ByteReader): Result<T, CodedError> {
  if (header.errorCode !== 0) return err(new ServerRefusal(header.errorCode, call.what));
  try {
    const value = call.decode(body);
    body.expectEnd(call.what);
    return ok(value);
  } catch (error) {
    return err(new CodedError('STORE_PROTOCOL', `${call.what}: ${describeError(error)}`, { cause: error }));
  }
}
