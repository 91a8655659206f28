import { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock, Unsubscribe } from '../../core/ports.ts';
import type { WatchHandlers } from '../source.ts';
import { addRecursiveWatch } from './calls.ts';
import type { WatchEvent } from './calls.ts';
import { isRefusal } from './protocol.ts';
import type { Session, SessionChange } from './session.ts';

/** Servers before 3.6 know no recursive watch, and a person does not wait for less. */
const POLL_MS = 2_000;

/** Follows one part of the tree over an operator's session, through every reconnect. */
export class PrefixWatch {
  readonly #session: Session;
  readonly #base: string;
  readonly #clock: Clock;
  readonly #handlers: WatchHandlers;
  readonly #unsubscribe: Unsubscribe;
  #isOldServer = false;
  #stopPolling: Cancel = () => undefined;

  /** @param base absolute path, which need not exist */
  constructor(session: Session, base: string, clock: Clock, handlers: WatchHandlers) {
    this.#session = session;
    this.#base = base;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#unsubscribe = session.listen({
      onChange: (change) => this.#onSession(change),
      onWatch: (event) => this.#onWatch(event),
    });
    if (session.state().kind === 'connected') void this.#arm();
    else session.start();
  }

  readonly stop = (): void => {
    this.#unsubscribe();
    this.#stopPolling();
  };

  #onSession(change: SessionChange): void {
    this.#stopPolling();
    if (change === 'connected') void this.#arm();
    else if (change !== 'closed') {
      const lost = new CodedError('STORE_DISCONNECTED', 'the connection to ZooKeeper broke', { transient: true });
      this.#handlers.onState(this.#session.lastError ?? lost);
    }
  }

  #onWatch({ path }: WatchEvent): void {
    if (path === this.#base || path.startsWith(`${this.#base}/`)) this.#handlers.onChange();
  }

  /** A watch ends with its connection, and what happened without one is not told later: so look, each time. */
  async #arm(): Promise<void> {
    const { connection } = this.#session;
    if (!this.#isOldServer) {
      const armed = await this.#session.request(addRecursiveWatch(this.#base));
      if (this.#session.connection !== connection) return;
      if (!armed.ok) {
        // Such a server hangs up after this answer, and we come back without asking.
        if (isRefusal(armed.error, 'unimplemented')) this.#isOldServer = true;
        else this.#handlers.onState(armed.error);
        return;
      }
    }
    this.#handlers.onState(null);
    this.#handlers.onChange();
    if (this.#isOldServer) this.#poll();
  }

  #poll(): void {
    this.#stopPolling = this.#clock.after(POLL_MS, () => {
      this.#handlers.onChange();
      this.#poll();
    });
  }
}
