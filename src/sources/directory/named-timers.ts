import type { Cancel, Clock } from '../../core/ports.ts';

/** Timers by name, at most one of each: arming it again puts it off. */
export class NamedTimers {
  readonly #clock: Clock;
  readonly #timers = new Map<string, Cancel>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(name: string): boolean {
    return this.#timers.has(name);
  }

  arm(name: string, ms: number, run: () => void): void {
    this.#timers.get(name)?.();
    if (this.#closed) return;
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(name);
      run();
    });
    this.#timers.set(name, cancel);
  }

  /** Cancels all of them, and arms none from now on. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#timers.values()) cancel();
  }
}
