import { Socket, type SocketConstructorOpts } from 'node:net';
import type { Cancel, Clock } from '../core/ports.ts';
import { type IpAddress, parseAddress } from '../model/address.ts';
import { unacknowledgedBytes } from './native-socket.ts';
import { openBgpSocket, type SocketTarget } from './socket-options.ts';

/** What a session hears from its connection; never from within a call that it makes. */
export interface ConnectionHandlers {
  connected(): void;
  data(bytes: Uint8Array): void;
  /** Octets have gone to the kernel. */
  progress(): void;
  /** The last event, also of an attempt that failed. */
  closed(reason: string): void;
}

/** One TCP connection, from the first SYN on. */
export interface Connection {
  /** Our end; undefined before `connected`. */
  readonly localAddress: IpAddress | undefined;
  /** Octets that wait in this process because the peer's window is closed. */
  readonly buffered: number;
  /** Octets in the kernel that the peer has not acknowledged. */
  unacknowledged(): number;
  write(bytes: Uint8Array): void;
  /** Sends the last octets, then closes; not later than a moment from now, whatever the peer does. */
  finish(last: Uint8Array): void;
  /** Closes at once. */
  destroy(): void;
}

export type Dial = (target: SocketTarget, userTimeoutMs: number, handlers: ConnectionHandlers) => Connection;

/** How long a peer may take to read a NOTIFICATION and close. */
const LINGER_MS = 2000;

/** Dials over the kernel's TCP, with the socket options that BGP needs. */
export function dialTcp(clock: Clock): Dial {
  return (target, userTimeoutMs, handlers) => {
    const opened = openBgpSocket(target, userTimeoutMs);
    if (opened.ok) return new TcpConnection(opened.value, target, handlers, clock);
    setImmediate(() => handlers.closed(opened.error));
    return NOT_OPENED;
  };
}

const NOT_OPENED: Connection = {
  localAddress: undefined,
  buffered: 0,
  unacknowledged: () => 0,
  write: () => undefined,
  finish: () => undefined,
  destroy: () => undefined,
};

class TcpConnection implements Connection {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #handlers: ConnectionHandlers;
  readonly #clock: Clock;
  #reason = 'TCP connection closed by the peer';
  #cancelLinger: Cancel | undefined;

  constructor(fd: number, target: SocketTarget, handlers: ConnectionHandlers, clock: Clock) {
    this.#fd = fd;
    this.#handlers = handlers;
    this.#clock = clock;
    // Without manualStart, Node would read from a socket that is not connected yet, and give it up.
    const options: SocketConstructorOpts & { manualStart: boolean } = {
      fd,
      readable: true,
      writable: true,
      manualStart: true,
    };
    this.#socket = new Socket(options);
    this.#socket.setNoDelay(true);
    this.#socket.on('connect', () => handlers.connected());
    this.#socket.on('data', (bytes) => handlers.data(bytes));
    this.#socket.on('error', (error) => (this.#reason = error.message));
    this.#socket.on('close', () => {
      this.#cancelLinger?.();
      handlers.closed(this.#reason);
    });
    this.#socket.connect({ host: target.address, port: target.port });
  }

  get localAddress(): IpAddress | undefined {
    return parseAddress(this.#socket.localAddress ?? '');
  }

  get buffered(): number {
    return this.#socket.writableLength;
  }

  unacknowledged(): number {
    // Once destroyed, the number of the descriptor may already belong to somebody else.
    return this.#socket.destroyed ? 0 : unacknowledgedBytes(this.#fd);
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes, () => this.#handlers.progress());
  }

  finish(last: Uint8Array): void {
    // Closing with unread octets would send a reset, and that may overtake the NOTIFICATION: so read on until the end.
    this.#socket.end(last);
    this.#cancelLinger = this.#clock.after(LINGER_MS, () => this.#socket.resetAndDestroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
