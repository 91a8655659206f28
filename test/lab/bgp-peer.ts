import { createServer, type Server, type Socket } from 'node:net';
import { bindSocket, hostOrder32, openTcpSocket, setSocketOption } from '../../src/bgp/native-socket.ts';
import type { IpAddress } from '../../src/model/address.ts';
import { eventually } from './eventually.ts';

/** <asm-generic/socket.h> */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;

/** One accepted connection of a scripted peer. */
export class PeerConnection {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  /** Whole messages that were read, as hex. */
  readonly messages: string[] = [];
  /** Called with each whole message as it comes. */
  onMessage: (hex: string) => void = () => undefined;
  closed = false;
  /** How the other side closed: with an orderly end, or with a reset. */
  reset = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => (this.reset = true));
    socket.on('close', () => (this.closed = true));
  }

  send(...messages: readonly string[]): void {
    this.#socket.write(Buffer.from(messages.join(''), 'hex'));
  }

  close(): void {
    this.#socket.end();
  }

  resetNow(): void {
    this.#socket.resetAndDestroy();
  }

  stopReading(): void {
    this.#socket.pause();
  }

  async received(type: number, count = 1): Promise<string> {
    const ofType = (): string[] => this.messages.filter((hex) => Number.parseInt(hex.slice(36, 38), 16) === type);
    return eventually(`${count} messages of type ${type} have come`, () => ofType()[count - 1]);
  }

  #read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 19 && this.#bytes.length >= this.#bytes.readUInt16BE(16)) {
      const length = this.#bytes.readUInt16BE(16);
      const hex = this.#bytes.subarray(0, length).toString('hex');
      this.messages.push(hex);
      this.onMessage(hex);
      this.#bytes = this.#bytes.subarray(length);
    }
  }
}

/** A BGP peer that does exactly what a test tells it, on a real socket. */
export class ScriptedPeer {
  readonly connections: PeerConnection[] = [];
  readonly #server: Server;
  readonly #onConnection: (connection: PeerConnection, count: number) => void;

  private constructor(server: Server, onConnection: (connection: PeerConnection, count: number) => void) {
    this.#server = server;
    this.#onConnection = onConnection;
    server.on('connection', (socket) => {
      const connection = new PeerConnection(socket);
      this.connections.push(connection);
      this.#onConnection(connection, this.connections.length);
    });
  }

  /** @param receiveBuffer octets that the kernel may hold for a peer that does not read */
  static async listen(
    address: string,
    onConnection: (connection: PeerConnection, count: number) => void = () => undefined,
    receiveBuffer?: number,
  ): Promise<ScriptedPeer> {
    const server = createServer();
    const peer = new ScriptedPeer(server, onConnection);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (receiveBuffer === undefined) server.listen(0, address, resolve);
      else server.listen({ fd: smallSocket(address, receiveBuffer) }, resolve);
    });
    return peer;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  connection(count: number): Promise<PeerConnection> {
    return eventually(`connection ${count} has come`, () => this.connections[count - 1]);
  }

  async stop(): Promise<void> {
    for (const each of this.connections) each.resetNow();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function smallSocket(address: string, receiveBuffer: number): number {
  const opened = openTcpSocket('ipv4');
  if (!opened.ok) throw new Error(opened.error);
  const set = setSocketOption(opened.value, SOL_SOCKET, SO_RCVBUF, hostOrder32(receiveBuffer));
  if (!set.ok) throw new Error(set.error);
  const bound = bindSocket(opened.value, address as IpAddress);
  if (!bound.ok) throw new Error(bound.error);
  return opened.value;
}
