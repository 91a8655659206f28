import type { Cancel, Clock } from '../../src/core/ports.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that moves only when the test says so. Timers fire in order of their deadline, then of their arming. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  #order = 0;
  readonly #timers = new Map<number, Timer>();

  constructor(startMs = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  after(ms: number, fn: () => void): Cancel {
    const order = this.#order++;
    this.#timers.set(order, { at: this.#monotonic + Math.max(ms, 0), order, fn });
    return () => void this.#timers.delete(order);
  }

  /** Moves time on, firing what falls due, each at its own moment. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (let due = this.#nextDue(end); due !== undefined; due = this.#nextDue(end)) {
      this.#step(due.at - this.#monotonic);
      this.#timers.delete(due.order);
      due.fn();
    }
    this.#step(end - this.#monotonic);
  }

  /** As `advance`, but lets promises settle after every timer. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let due = this.#nextDue(end); due !== undefined; due = this.#nextDue(end)) {
      this.#step(due.at - this.#monotonic);
      this.#timers.delete(due.order);
      due.fn();
      await settle();
    }
    this.#step(end - this.#monotonic);
  }

  /** Whoever armed timers is gone. */
  cancelAll(): void {
    this.#timers.clear();
  }

  /** The wall clock jumps; the monotonic clock does not notice. */
  jumpWallClock(ms: number): void {
    this.#now += ms;
  }

  #step(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }

  #nextDue(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (timer.at > end) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}

/** Lets everything that is ready to run in this turn of the event loop run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
