import type { ScriptedConnection, ScriptedZookeeper } from './scripted-zookeeper.ts';
import { event, reply, stat } from './zookeeper-bytes.ts';

const OP = { exists: 3, ping: 11, removeWatches: 18, closeSession: -11 } as const;
const EVENT = { created: 1, deleted: 2, dataChanged: 3 } as const;
const NO_NODE = -101;
const NO_WATCHER = -121;
const UNIMPLEMENTED = -6;
const TAKEN_BACK = 'removeWatches';

/**
 * A ZooKeeper that knows which znodes there are, and watches of `exists`: set on nodes that are there and on those that
 * are not, gone once they have fired, and with their connection. Requests are worked on in order when the test says so,
 * and replies and events leave in the order in which they arose.
 */
export class ModelZnodes {
  readonly #store: ScriptedZookeeper;
  readonly nodes = new Set<string>();
  /** Paths with a watch of the newest connection. */
  readonly watches = new Set<string>();
  /** Changes so far. */
  changes = 0;
  /** Set while every question is answered with this error. */
  error: number | null = null;
  /** A server before 3.5. */
  isOld = false;
  #connection: ScriptedConnection | null = null;
  #asked: string[] = [];
  #outbox: Buffer[] = [];

  constructor(store: ScriptedZookeeper) {
    this.#store = store;
  }

  /** Takes the newest connection in. */
  async connect(options: { readonly session?: bigint; readonly timeoutMs?: number } = {}): Promise<void> {
    this.watches.clear();
    this.#outbox = [];
    this.#connection = await this.#store.greet(options);
  }

  hangUp(): void {
    this.#connection?.close('closed by the server');
    this.#connection = null;
  }

  create(path: string): void {
    this.nodes.add(path);
    this.#fire(EVENT.created, path);
  }

  remove(path: string): void {
    this.nodes.delete(path);
    this.#fire(EVENT.deleted, path);
  }

  change(path: string): void {
    this.#fire(EVENT.dataChanged, path);
  }

  /** Works on what has come in, and lets nothing out yet. */
  work(): void {
    for (const packet of this.#connection?.packets() ?? []) {
      const [xid, op] = [packet.readInt32BE(0), packet.readInt32BE(4)];
      if (op === OP.exists) this.#outbox.push(this.#exists(xid, textAt(packet, 8), packet.at(-1) === 1));
      else if (op === OP.removeWatches) this.#outbox.push(this.#removeWatches(xid, textAt(packet, 8)));
      else if (op === OP.closeSession) {
        this.#asked.push('closeSession');
        this.#outbox.push(reply(xid));
      } else if (op === OP.ping) this.#outbox.push(reply(xid));
      else throw new Error(`nobody is to ask for ${op} here`);
    }
  }

  /** Lets out so many replies and events, all of them in one piece. */
  deliver(count = this.#outbox.length): void {
    const frames = this.#outbox.splice(0, count);
    if (frames.length > 0) this.#connection?.send(...frames);
  }

  get undelivered(): number {
    return this.#outbox.length;
  }

  /** What was asked since the last call: a path, "removeWatches PATH", or "closeSession". */
  asked(): string[] {
    return this.#asked.splice(0);
  }

  #exists(xid: number, path: string, watch: boolean): Buffer {
    this.#asked.push(path);
    if (this.error !== null) return reply(xid, { error: this.error });
    if (watch) this.watches.add(path);
    return this.nodes.has(path) ? reply(xid, {}, stat()) : reply(xid, { error: NO_NODE });
  }

  #removeWatches(xid: number, path: string): Buffer {
    this.#asked.push(`${TAKEN_BACK} ${path}`);
    if (this.isOld) return reply(xid, { error: UNIMPLEMENTED });
    return this.watches.delete(path) ? reply(xid) : reply(xid, { error: NO_WATCHER });
  }

  #fire(type: number, path: string): void {
    this.changes += 1;
    if (this.watches.delete(path)) this.#outbox.push(event(type, path));
  }
}

function textAt(packet: Buffer, at: number): string {
  const length = packet.readInt32BE(at);
  return packet.toString('utf8', at + 4, at + 4 + length);
}
