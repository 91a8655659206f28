import type { Cancel, Clock } from '../../src/core/ports.ts';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/**
 * A clock whose timers can be late, as in an event loop that is busy elsewhere: `pass` moves time and fires nothing,
 * `turn` fires what is due by then, but nothing that is armed meanwhile.
 */
export class TurnClock implements Clock {
  #monotonic = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return Date.parse('2026-01-01T00:00:00Z') + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, fn: () => void): Cancel {
    const timer = { at: this.#monotonic + Math.max(ms, 0), fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#monotonic += ms;
  }

  turn(): void {
    const due = [...this.#timers].filter(({ at }) => at <= this.#monotonic).sort((a, b) => a.at - b.at);
    for (const timer of due) if (this.#timers.delete(timer)) timer.fn();
  }

  /** Time passes in steps that are too short for anybody to be late. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      this.pass(1);
      this.turn();
    }
  }
}
