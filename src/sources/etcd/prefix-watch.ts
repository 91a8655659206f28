import type { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import type { Result } from '../../core/result.ts';
import type { WatchHandlers } from '../source.ts';
import type { EtcdLink } from './link.ts';
import { ConfigWatch } from './watch.ts';
import type { WatchRange } from './watch.ts';

/** From the end of one connection to the next try, at the next member. */
const RETRY_MS = 500;

/** Follows one part of the tree over connections of its own, one after another. */
export class PrefixWatch {
  readonly #connect: (attempt: number) => Promise<Result<EtcdLink, CodedError>>;
  readonly #range: WatchRange;
  readonly #clock: Clock;
  readonly #handlers: WatchHandlers;
  #giveUp: () => void = () => undefined;
  #over = false;

  constructor(
    connect: (attempt: number) => Promise<Result<EtcdLink, CodedError>>,
    range: WatchRange,
    clock: Clock,
    handlers: WatchHandlers,
  ) {
    this.#connect = connect;
    this.#range = range;
    this.#clock = clock;
    this.#handlers = handlers;
    void this.#run();
  }

  readonly stop = (): void => {
    this.#over = true;
    this.#giveUp();
  };

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#over; attempt++) {
      const link = await this.#connect(attempt);
      const end = link.ok ? await this.#follow(link.value) : link.error;
      if (this.#isOver()) return;
      if (end !== null) this.#handlers.onState(end);
      await this.#pause();
    }
  }

  /** Resolves to what ended the watch; null = it was stopped. */
  async #follow(link: EtcdLink): Promise<CodedError | null> {
    const ended = await new Promise<CodedError | null>((resolve) => {
      const { onChange, onState } = this.#handlers;
      const watch = new ConfigWatch(link, this.#range, this.#clock, {
        onEvents: onChange,
        onGap: onChange,
        onEnd: resolve,
      });
      this.#giveUp = () => {
        watch.stop();
        resolve(null);
      };
      if (this.#over) this.#giveUp();
      void watch.start().then((started) => {
        if (this.#over) return;
        if (!started.ok) {
          resolve(started.error);
          return;
        }
        // What happened before this watch is not told by it: so look.
        onState(null);
        onChange();
      });
    });
    link.close();
    return ended;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel: Cancel = this.#clock.after(RETRY_MS, resolve);
      this.#giveUp = () => {
        cancel();
        resolve();
      };
    });
  }

  /** It may have become so during an await. */
  #isOver(): boolean {
    return this.#over;
  }
}
