import { closeSync, readSync, writeSync } from 'node:fs';
import { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import { ok } from '../../core/result.ts';
import { openNetlinkFd, RECEIVE_BUFFER_BYTES } from './socket.ts';
import type { OpenTransport, TransportEvents } from './transport.ts';

const DATAGRAM_BYTES = 64 * 1024;
/** Datagrams taken in one turn of the event loop. */
const READS_PER_TURN = 64;
/** The kernel answers while the request is being written, so a second look is rarely needed: waits grow, then end. */
const FIRST_POLL_MS = 2;
const LAST_POLL_MS = 4_000;

/**
 * A netlink socket by plain reads and writes on its descriptor: the way that needs nothing undocumented, should a
 * future Node take the stream's ground away. After each send it looks for answers until some while has passed.
 */
export function polledTransport(
  protocol: number,
  clock: Clock,
  receiveBufferBytes = RECEIVE_BUFFER_BYTES,
): OpenTransport {
  return (events) => {
    const fd = openNetlinkFd(protocol, receiveBufferBytes);
    if (!fd.ok) return fd;
    const polled = new PolledSocket(fd.value, clock, events);
    return ok({
      send: (datagram) => {
        polled.send(datagram);
      },
      close: () => {
        polled.close();
      },
    });
  };
}

class PolledSocket {
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
      // Not within send(): its caller is not ready for an event yet.
      this.#again(0, () => {
        this.#fail(error);
      });
      return;
    }
    this.#pollMs = FIRST_POLL_MS;
    this.#again(0, this.#drain);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cancel();
    closeSync(this.#fd);
  }

  readonly #drain = (): void => {
    for (let reads = 0; reads < READS_PER_TURN && this.#open; reads++) {
      let length;
      try {
        length = readSync(this.#fd, this.#buffer);
      } catch (error) {
        if (!isEagain(error)) this.#fail(error);
        else if (this.#pollMs <= LAST_POLL_MS) this.#again(this.#pollMs, this.#drain);
        this.#pollMs *= 2;
        return;
      }
      this.#events.onDatagram(this.#buffer.subarray(0, length));
    }
    if (this.#open) this.#again(0, this.#drain);
  };

  #again(ms: number, step: () => void): void {
    this.#cancel();
    this.#cancel = this.#clock.after(ms, step);
  }

  #fail(cause: unknown): void {
    if (!this.#open) return;
    this.close();
    const code = (cause as NodeJS.ErrnoException).code ?? 'an unknown error';
    this.#events.onFailure(
      new CodedError('NETLINK_LOST', `the netlink socket broke with ${code}`, { cause, transient: true }),
    );
  }
}

function isEagain(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}
