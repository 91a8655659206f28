import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** multiRead, setWatches2, addWatch and whoAmI came with 3.6; containers and TTLs with 3.5.3. */
const TOO_NEW: ReadonlySet<number> = new Set([19, 21, 22, 103, 104, 105, 106, 107]);
const UNIMPLEMENTED = -6;

/**
 * Stands before a real ZooKeeper and behaves as one before 3.5.3 does: an operation that it does not know is answered
 * with UNIMPLEMENTED, and then it hangs up (org.apache.zookeeper.server.UnimplementedRequestProcessor).
 */
export class OldZookeeper {
  readonly address: string;
  /** Operations that were refused. */
  readonly refused: number[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [host = '', port = ''] = target.split(':');
    server.on('connection', (client) => {
      this.#serve(client, connect({ host, port: Number(port) }));
    });
  }

  static start(target: string): Promise<OldZookeeper> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new OldZookeeper(server, target)));
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    server.on('data', (chunk: Buffer) => client.write(chunk));
    let rest = Buffer.alloc(0);
    let isGreeted = false;
    client.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const packet = rest.subarray(0, 4 + rest.readInt32BE(0));
        rest = rest.subarray(packet.length);
        const op = isGreeted ? packet.readInt32BE(8) : 0;
        isGreeted = true;
        if (!TOO_NEW.has(op)) {
          server.write(packet);
          continue;
        }
        this.refused.push(op);
        const reply = Buffer.alloc(20);
        reply.writeInt32BE(16, 0);
        reply.writeInt32BE(packet.readInt32BE(4), 4);
        reply.writeInt32BE(UNIMPLEMENTED, 16);
        client.end(reply);
        return;
      }
    });
  }
}
