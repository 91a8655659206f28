import { createServer, connect } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export type Direction = 'toClient' | 'toServer';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/**
 * A TCP proxy that misbehaves on demand, between a client under test and a real server: it cuts connections (also in
 * the middle of a frame), goes silent while keeping them open, and hands bytes on in small pieces.
 */
export class ChaosProxy {
  /** "127.0.0.1:port", as clients want it. */
  readonly address: string;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #pieces = new Map<Socket, Buffer[]>();
  #target: string;
  #pieceBytes: number | undefined;
  #isStalled = false;
  #isDeaf = false;
  readonly #cutAfter = new Map<Direction, number>();
  /** Sees everything that passes, before any mischief is done to it. */
  onBytes: (direction: Direction, bytes: Buffer) => void = () => undefined;
  /** Connections taken since the start. */
  accepted = 0;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.#target = target;
    const { address, port } = server.address() as AddressInfo;
    this.address = `${address}:${port}`;
    server.on('connection', (client) => {
      this.#accept(client);
    });
  }

  /** @param listen where it is to be found; a free port of 127.0.0.1 unless given */
  static start(target: string, listen: { host: string; port: number } = LOOPBACK): Promise<ChaosProxy> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, () => resolve(new ChaosProxy(server, target)));
    });
  }

  /** New connections go to another server. */
  retarget(target: string): void {
    this.#target = target;
  }

  /** Hands everything on in writes of at most so many bytes; undefined: as it comes. */
  fragment(bytes: number | undefined): void {
    this.#pieceBytes = bytes;
  }

  /** Nothing passes any more in either direction, and every connection stays open. New ones are taken in, too. */
  stall(): void {
    this.#isStalled = true;
    for (const pair of this.#pairs) {
      pair.client.pause();
      pair.server.pause();
    }
  }

  resume(): void {
    this.#isStalled = false;
    for (const pair of this.#pairs) {
      pair.client.resume();
      pair.server.resume();
    }
  }

  /** Closes new connections at once, until told otherwise. */
  deaf(isDeaf: boolean): void {
    this.#isDeaf = isDeaf;
  }

  /** Cuts each connection once so many further bytes have passed in one direction. */
  cutAfter(direction: Direction, bytes: number): void {
    this.#cutAfter.set(direction, bytes);
  }

  /** Cuts every connection now. */
  cut(): void {
    for (const pair of [...this.#pairs]) this.#drop(pair);
  }

  get open(): number {
    return this.#pairs.size;
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    client.on('error', () => undefined);
    if (this.#isDeaf) {
      client.destroy();
      return;
    }
    const colon = this.#target.lastIndexOf(':');
    const server = connect({ host: this.#target.slice(0, colon), port: Number(this.#target.slice(colon + 1)) });
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    for (const [from, to, direction] of [
      [client, server, 'toServer'],
      [server, client, 'toClient'],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        this.onBytes(direction, chunk);
        this.#pass(pair, to, direction, chunk);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#drop(pair);
      });
    }
    if (this.#isStalled) {
      client.pause();
      server.pause();
    }
  }

  #pass(pair: Pair, to: Socket, direction: Direction, chunk: Buffer): void {
    const left = this.#cutAfter.get(direction);
    if (left === undefined || chunk.length < left) {
      if (left !== undefined) this.#cutAfter.set(direction, left - chunk.length);
      this.#write(to, chunk);
      return;
    }
    this.#cutAfter.delete(direction);
    // Ends politely, so that what was let through arrives, pieces that still wait first; a reset would throw it away.
    to.end(Buffer.concat([...(this.#pieces.get(to) ?? []), chunk.subarray(0, left)]));
    this.#pieces.delete(to);
    pair.client.pause();
    pair.server.pause();
  }

  /** Pieces leave in turns of their own: in one turn they would be gathered into one write again. */
  #write(to: Socket, chunk: Buffer): void {
    const waiting = this.#pieces.get(to);
    if (waiting !== undefined) waiting.push(chunk);
    else if (this.#pieceBytes === undefined) to.write(chunk);
    else {
      this.#pieces.set(to, [chunk]);
      this.#writePiece(to);
    }
  }

  #writePiece(to: Socket): void {
    const rest = Buffer.concat(this.#pieces.get(to) ?? []);
    const bytes = this.#pieceBytes ?? rest.length;
    if (rest.length === 0 || to.destroyed) {
      this.#pieces.delete(to);
      return;
    }
    to.write(rest.subarray(0, bytes));
    this.#pieces.set(to, [rest.subarray(bytes)]);
    setImmediate(() => {
      this.#writePiece(to);
    });
  }

  #drop(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    pair.client.destroy();
    pair.server.destroy();
  }
}
