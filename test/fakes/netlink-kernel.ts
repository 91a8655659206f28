import { ByteWriter } from '../../src/core/bytes.ts';
import { CodedError } from '../../src/core/errors.ts';
import { ok } from '../../src/core/result.ts';
import { NLM_F_ACK, NLMSG_DONE, NLMSG_ERROR } from '../../src/ipvs/netlink/constants.ts';
import { readMessages } from '../../src/ipvs/netlink/message.ts';
import type { OpenTransport, TransportEvents } from '../../src/ipvs/netlink/transport.ts';

export interface SeenMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** What the other end of the socket does with one datagram; nothing said is nothing answered. */
export type Answer = (messages: readonly SeenMessage[], socket: FakeSocket) => void;

/** One opened socket, seen from the kernel's side. */
export class FakeSocket {
  readonly #events: TransportEvents;
  closed = false;

  constructor(events: TransportEvents) {
    this.#events = events;
  }

  /** Delivers raw bytes, in a later turn as a real socket does, from a buffer that is overwritten afterwards. */
  deliver(...datagrams: Uint8Array[]): void {
    setImmediate(() => {
      for (const datagram of datagrams) {
        if (this.closed) return;
        const buffer = Buffer.from(datagram);
        this.#events.onDatagram(buffer);
        buffer.fill(0xee);
      }
    });
  }

  break(text: string): void {
    setImmediate(() => {
      if (!this.closed) this.#events.onFailure(new CodedError('NETLINK_LOST', text, { transient: true }));
    });
  }
}

/** A netlink socket whose kernel is a function. */
export class FakeNetlink {
  readonly sent: (readonly SeenMessage[])[] = [];
  readonly sockets: FakeSocket[] = [];
  receiveBufferBytes = 1 << 20;
  answer: Answer;

  constructor(answer: Answer) {
    this.answer = answer;
  }

  readonly open: OpenTransport = (events) => {
    const socket = new FakeSocket(events);
    this.sockets.push(socket);
    return ok({
      receiveBufferBytes: this.receiveBufferBytes,
      send: (datagram) => {
        const messages = Array.from(readMessages(datagram), ({ type, flags, sequence, payload }) => ({
          type,
          flags,
          sequence,
          payload: Uint8Array.from(payload.bytes(payload.remaining)),
        }));
        this.sent.push(messages);
        this.answer(messages, socket);
      },
      close: () => {
        socket.closed = true;
      },
    });
  };
}

export function netlinkMessage(type: number, flags: number, sequence: number, payload: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer
    .u32le(16 + payload.length)
    .u16le(type)
    .u16le(flags)
    .u32le(sequence)
    .u32le(0)
    .bytes(payload);
  return writer.finish();
}

/** What the kernel says to a batch: every refusal, and what it was asked to acknowledge. */
export function answersTo(
  messages: readonly SeenMessage[],
  errnoOf: (message: SeenMessage) => number = () => 0,
): Uint8Array[] {
  return messages.flatMap((message) => {
    const errno = errnoOf(message);
    return errno === 0 && (message.flags & NLM_F_ACK) === 0 ? [] : [acknowledgement(message, errno)];
  });
}

/** NLMSG_ERROR, capped, for one request. */
export function acknowledgement(to: SeenMessage, errno = 0): Uint8Array {
  const payload = new ByteWriter().i32le(-errno).u32le(16).u16le(to.type).u16le(to.flags).u32le(to.sequence).u32le(0);
  return netlinkMessage(NLMSG_ERROR, 0x100, to.sequence, payload.finish());
}

export function done(to: SeenMessage, flags = 0x02): Uint8Array {
  return netlinkMessage(NLMSG_DONE, flags, to.sequence, new ByteWriter().i32le(0).finish());
}

export function concatenated(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
