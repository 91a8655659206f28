import type { Destination } from '../../src/sources/server-names.ts';
import type { Dial, TransportHandlers } from '../../src/sources/zookeeper/transport.ts';
import { welcome } from './zookeeper-bytes.ts';

/** One connection that a session opened; the test plays the server. */
export class ScriptedConnection {
  readonly server: Destination;
  readonly #handlers: TransportHandlers;
  #received = Buffer.alloc(0);
  isDropped = false;

  constructor(server: Destination, handlers: TransportHandlers) {
    this.server = server;
    this.#handlers = handlers;
  }

  receive(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes]);
  }

  /** What came in and was not taken as packets. */
  get raw(): Buffer {
    return this.#received;
  }

  /** Takes the packets that have come in since the last call, without their length prefix. */
  packets(): Buffer[] {
    const packets: Buffer[] = [];
    while (this.#received.length >= 4) {
      const length = this.#received.readInt32BE(0);
      packets.push(this.#received.subarray(4, 4 + length));
      this.#received = this.#received.subarray(4 + length);
    }
    return packets;
  }

  /** The requests among them: their transaction id and operation code. */
  requests(): { xid: number; op: number }[] {
    return this.packets().map((packet) => ({ xid: packet.readInt32BE(0), op: packet.readInt32BE(4) }));
  }

  open(): void {
    this.#handlers.onOpen();
  }

  send(...frames: readonly Uint8Array[]): void {
    this.#handlers.onData(Buffer.concat(frames));
  }

  close(reason = 'closed by the server'): void {
    this.#handlers.onClose(reason);
  }
}

/** Stands where a session would open sockets. */
export class ScriptedZookeeper {
  readonly connections: ScriptedConnection[] = [];

  readonly dial: Dial = (server, handlers) => {
    const connection = new ScriptedConnection(server, handlers);
    this.connections.push(connection);
    return {
      write: (bytes) => connection.receive(bytes),
      destroy: () => {
        connection.isDropped = true;
      },
    };
  };

  get last(): ScriptedConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error('nobody has dialled');
    return last;
  }

  /** Plays the newest connection up to the welcome. Without credentials the session is connected then. */
  async greet(options: Parameters<typeof welcome>[0] = {}): Promise<ScriptedConnection> {
    const { last } = this;
    last.open();
    await Promise.resolve();
    last.packets();
    last.send(welcome(options));
    return last;
  }
}
