import type { Connection, ConnectionHandlers, Dial } from '../../src/bgp/connection.ts';
import type { SocketTarget } from '../../src/bgp/socket-options.ts';
import type { IpAddress } from '../../src/model/address.ts';
import { bytesOf, hexOf } from '../vectors/bgp/captures.ts';
import { BgpReader } from './bgp-reader.ts';

/** A connection whose other end is the test. Nothing is delivered from within a call of the session. */
export class FakeConnection implements Connection {
  readonly target: SocketTarget;
  readonly #handlers: ConnectionHandlers;
  readonly localAddress: IpAddress;
  /** Whole messages as hex, in the order of writing. */
  readonly sent: string[] = [];
  readonly reader = new BgpReader();
  /** The peer's window is closed: what is written waits. */
  blocked = false;
  buffered = 0;
  inFlight = 0;
  /** How the session ended it. */
  ended: 'finished' | 'destroyed' | null = null;

  constructor(target: SocketTarget, handlers: ConnectionHandlers) {
    this.target = target;
    this.#handlers = handlers;
    this.localAddress = target.localAddress ?? ('192.0.2.2' as IpAddress);
  }

  unacknowledged(): number {
    return this.inFlight;
  }

  write(bytes: Uint8Array): void {
    if (this.ended !== null) throw new Error('written after the end');
    for (const message of split(bytes)) {
      this.sent.push(hexOf(message));
      this.reader.read(message);
    }
    if (this.blocked) this.buffered += bytes.length;
  }

  finish(last: Uint8Array): void {
    this.write(last);
    this.ended = 'finished';
  }

  destroy(): void {
    this.ended ??= 'destroyed';
  }

  /** The types of the messages sent so far. */
  get types(): number[] {
    return this.sent.map((hex) => Number.parseInt(hex.slice(36, 38), 16));
  }

  get last(): string {
    return this.sent.at(-1) ?? '';
  }

  accept(): void {
    this.#handlers.connected();
  }

  receive(...messages: readonly string[]): void {
    this.#handlers.data(bytesOf(messages.join('')));
  }

  unblock(): void {
    this.blocked = false;
    this.buffered = 0;
    this.#handlers.progress();
  }

  /** Also what a connection says when its own end closed it. */
  close(reason = 'TCP connection closed by the peer'): void {
    this.ended ??= 'destroyed';
    this.#handlers.closed(reason);
  }
}

export class FakeNetwork {
  readonly connections: FakeConnection[] = [];

  readonly dial: Dial = (target, _userTimeoutMs, handlers) => {
    const connection = new FakeConnection(target, handlers);
    this.connections.push(connection);
    return connection;
  };

  /** The newest connection. */
  get connection(): FakeConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error('nobody has dialled');
    return last;
  }
}

function split(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0);
    messages.push(bytes.subarray(at, at + length));
    at += length;
  }
  return messages;
}
