import type { Cancel, Clock } from '../core/ports.ts';

const PERIOD_MS = 50;
/** Lateness below this is everyday scheduling noise. */
const NOTICED_MS = 10;
/** Spells of lateness that are remembered: at one per period, more than any probe's timeout asks about in practice. */
const REMEMBERED = 256;

interface Spell {
  /** Monotonic milliseconds at which the loop was back. */
  readonly endedAt: number;
  readonly lateMs: number;
}

/** Knows how late this thread's event loop was, so that nobody takes our own slowness for a real's silence. */
export class LoopWatch {
  readonly #clock: Clock;
  readonly #spells: Spell[] = [];
  #expectedAt = 0;
  #cancel: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The longest time that the loop stood still since then, the present included, in milliseconds. */
  worstSince(monotonicMs: number): number {
    let worst = this.#cancel === undefined ? 0 : Math.max(0, this.#clock.monotonic() - this.#expectedAt);
    for (const { endedAt, lateMs } of this.#spells) {
      if (endedAt >= monotonicMs && lateMs > worst) worst = lateMs;
    }
    return worst;
  }

  #arm(): void {
    this.#expectedAt = this.#clock.monotonic() + PERIOD_MS;
    this.#cancel = this.#clock.after(PERIOD_MS, () => {
      const now = this.#clock.monotonic();
      const lateMs = now - this.#expectedAt;
      if (lateMs > NOTICED_MS) {
        this.#spells.push({ endedAt: now, lateMs });
        if (this.#spells.length > REMEMBERED) this.#spells.shift();
      }
      this.#arm();
    });
  }
}
