import { closeSync, readSync, writeSync } from 'node:fs';
import { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import { ok } from '../../core/result.ts';
import { openNetlinkFd, RECEIVE_BUFFER_BYTES } from './socket.ts';
import type { OpenTransport, TransportEvents } from './transport.ts';

/**
 * The largest datagram that is taken whole. The kernel sizes the parts of a dump by the reader's buffer, up to 32 kB
 * (netlink_dump in net/netlink/af_netlink.c).
 */
const DATAGRAM_BYTES = 64 * 1024;
/** Datagrams taken in one turn of the event loop: about a thousand entries of a dump, which the kernel makes meanwhile. */
const READS_PER_TURN = 8;
/** The kernel answers while the request is being written, so a second look is rarely needed: waits grow, then end. */
const FIRST_POLL_MS = 2;
const LAST_POLL_MS = 4_000;

/**
 * A netlink socket by plain reads and writes on its descriptor. Nothing waits here: the kernel has answered when the
 * write returns, and makes each further part of a dump while the one before is read. A stream over the descriptor would
 * cost a turn of the event loop for each datagram.
 */
export function socketTransport(
  protocol: number,
  clock: Clock,
  receiveBufferBytes = RECEIVE_BUFFER_BYTES,
): OpenTransport {
  return (events) => {
    const opened = openNetlinkFd(protocol, receiveBufferBytes);
    if (!opened.ok) return opened;
    const socket = new OpenSocket(opened.value.fd, clock, events);
    return ok({
      receiveBufferBytes: opened.value.receiveBufferBytes,
      send: (datagram) => {
        socket.send(datagram);
      },
      close: () => {
        socket.close();
      },
    });
  };
}

class OpenSocket {
  readonly #fd: number;
  readonly #clock: Clock;
  readonly #events: TransportEvents;
  readonly #buffer = Buffer.alloc(DATAGRAM_BYTES);
  #open = true;
  #pollMs = FIRST_POLL_MS;
  #cancel: Cancel = () => undefined;

  constructor(fd: number, clock: Clock, events: TransportEvents) {
    this.#fd = fd;
    this.#clock = clock;
    this.#events = events;
  }

  send(datagram: Uint8Array): void {
    if (!this.#open) return;
    try {
      writeSync(this.#fd, datagram);
    } catch (error) {
      this.#nextTurn(() => {
        this.#fail(error);
      });
      return;
    }
    this.#pollMs = FIRST_POLL_MS;
    this.#nextTurn(this.#drain);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cancel();
    closeSync(this.#fd);
  }

  readonly #drain = (): void => {
    for (let reads = 0; reads < READS_PER_TURN; reads++) {
      let length;
      try {
        length = readSync(this.#fd, this.#buffer);
      } catch (error) {
        if (isEagain(error)) this.#lookLater();
        else this.#fail(error);
        return;
      }
      const more = this.#events.onDatagram(this.#buffer.subarray(0, length));
      if (!more || !this.#open) return;
    }
    this.#nextTurn(this.#drain);
  };

  #lookLater(): void {
    if (this.#pollMs <= LAST_POLL_MS) {
      this.#cancel();
      this.#cancel = this.#clock.after(this.#pollMs, this.#drain);
    }
    this.#pollMs *= 2;
  }

  /** Others get their turn first; between two batches this is where they do. */
  #nextTurn(step: () => void): void {
    this.#cancel();
    const immediate = setImmediate(step);
    this.#cancel = () => clearImmediate(immediate);
  }

  #fail(cause: unknown): void {
    if (!this.#open) return;
    this.close();
    const code = (cause as NodeJS.ErrnoException).code ?? 'an unknown error';
    const overrun = code === 'ENOBUFS' ? ': the receive buffer overran' : '';
    const text = `the netlink socket broke with ${code}${overrun}`;
    this.#events.onFailure(new CodedError('NETLINK_LOST', text, { cause, transient: true }));
  }
}

function isEagain(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}
