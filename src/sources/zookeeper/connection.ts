import { describeError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import { Framer } from './framer.ts';
import type { Frame } from './framer.ts';
import { encodePing } from './messages.ts';
import type { Destination } from '../server-names.ts';
import { formatServer } from './servers.ts';
import { SilenceTimer } from './silence-timer.ts';
import type { Dial, Transport } from './transport.ts';

export interface ConnectionHandlers {
  onOpen(): void;
  /** What it throws ends the connection as malformed. */
  onFrame(frame: Frame): void;
  /** The stream ended, or what came was not ZooKeeper's protocol. */
  onBroken(code: 'STORE_UNREACHABLE' | 'STORE_PROTOCOL', reason: string): void;
  /** The deadline passed. */
  onSilence(): void;
}

/** One stream to one server with its timers. After `drop` no handler is called any more. */
export class Connection {
  readonly server: string;
  readonly #clock: Clock;
  readonly #handlers: ConnectionHandlers;
  readonly #framer: Framer;
  readonly #silence: SilenceTimer;
  readonly #transport: Transport;
  #cancelPing: Cancel = () => undefined;
  #outbox: Uint8Array[] = [];
  #dropped = false;

  constructor(
    server: Destination,
    deps: { readonly dial: Dial; readonly clock: Clock; readonly maxReplyBytes: number },
    handlers: ConnectionHandlers,
  ) {
    this.server = formatServer(server);
    this.#clock = deps.clock;
    this.#handlers = handlers;
    this.#framer = new Framer(deps.maxReplyBytes);
    this.#silence = new SilenceTimer(deps.clock, () => handlers.onSilence());
    this.#transport = deps.dial(server, {
      onOpen: () => {
        if (!this.#dropped) handlers.onOpen();
      },
      onData: (chunk) => this.#receive(chunk),
      onClose: (reason) => {
        if (!this.#dropped) handlers.onBroken('STORE_UNREACHABLE', reason);
      },
    });
  }

  /** A deadline that stands, whatever is heard. */
  armDeadline(ms: number): void {
    this.#silence.arm(ms, { untilHeard: false });
  }

  /** From now on everything heard moves the deadline on, and a ping makes sure that there is something to hear. */
  keepAlive(pingMs: number, silenceMs: number): void {
    this.#silence.arm(silenceMs, { untilHeard: true });
    this.#pingEvery(pingMs);
  }

  /** What is sent in one turn of the event loop leaves in one write. */
  send(bytes: Uint8Array): void {
    this.#outbox.push(bytes);
    if (this.#outbox.length > 1) return;
    queueMicrotask(() => {
      const chunks = this.#outbox;
      this.#outbox = [];
      if (!this.#dropped) this.#transport.write(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
  }

  drop(): void {
    this.#dropped = true;
    this.#silence.cancel();
    this.#cancelPing();
    this.#transport.destroy();
  }

  #receive(chunk: Uint8Array): void {
    this.#silence.heard();
    try {
      for (const frame of this.#framer.push(chunk)) {
        // A frame may end this connection; what follows it then belongs to nobody.
        if (this.#dropped) return;
        this.#handlers.onFrame(frame);
      }
    } catch (error) {
      if (!this.#dropped) this.#handlers.onBroken('STORE_PROTOCOL', `${this.server}: ${describeError(error)}`);
    }
  }

  #pingEvery(ms: number): void {
    this.#cancelPing = this.#clock.after(ms, () => {
      this.send(encodePing());
      this.#pingEvery(ms);
    });
  }
}
