/**
 * Turns any number of pokes into runs of one job: at most one running and one pending. A poke carries no data; the job
 * reads the newest state itself. The job's own errors go to `onError`, and the loop goes on.
 */
export class Coalescer {
  readonly #job: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #pending = false;
  #stopped = false;

  constructor(job: () => Promise<void>, onError: (error: unknown) => void) {
    this.#job = job;
    this.#onError = onError;
  }

  readonly poke = (): void => {
    if (this.#stopped) return;
    this.#pending = true;
    this.#running ??= this.#loop();
  };

  /** Resolves once nothing is running or pending. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Takes no further pokes, drops a pending one, and waits for the run under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pending = false;
    await this.idle();
  }

  async #loop(): Promise<void> {
    // Pokes of the same turn must fall into one run, so the first run starts in the next microtask.
    await Promise.resolve();
    while (this.#pending) {
      this.#pending = false;
      try {
        await this.#job();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#running = undefined;
  }
}
