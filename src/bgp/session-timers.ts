import type { Cancel, Clock, Random } from '../core/ports.ts';
import { MAX_HOLD_TIME_S, MAX_RESTART_TIME_S, MIN_HOLD_TIME_S, SEND_HOLD_TIME_MS } from './constants.ts';
import { type TimerName, TIMERS } from './fsm.ts';

/** RFC 4271 section 10: the timers that peers should not run in step, each between 75 and 100 % of its value. */
const JITTERED: ReadonlySet<TimerName> = new Set(['connectRetry', 'idleHold', 'keepalive']);
const JITTER = 0.25;

/** The timers of one session, each armed at most once. */
export class SessionTimers {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #fire: (timer: TimerName) => void;
  readonly #armed = new Map<TimerName, Cancel>();

  constructor(clock: Clock, random: Random, fire: (timer: TimerName) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#fire = fire;
  }

  isArmed(timer: TimerName): boolean {
    return this.#armed.has(timer);
  }

  /** Arming again starts the time anew. */
  arm(timer: TimerName, ms: number): void {
    this.disarm(timer);
    const delay = JITTERED.has(timer) ? ms * (1 - JITTER * this.#random()) : ms;
    const cancel = this.#clock.after(delay, () => {
      this.#armed.delete(timer);
      this.#fire(timer);
    });
    this.#armed.set(timer, cancel);
  }

  disarm(timer: TimerName): void {
    this.#armed.get(timer)?.();
    this.#armed.delete(timer);
  }

  disarmAll(): void {
    for (const timer of TIMERS) this.disarm(timer);
  }
}

/** Zero or at least three seconds (RFC 4271 section 4.2). */
export function holdTimeSeconds(ms: number): number {
  if (ms <= 0) return 0;
  return Math.min(Math.max(Math.round(ms / 1000), MIN_HOLD_TIME_S), MAX_HOLD_TIME_S);
}

/** BIRD and FRR both take twice the hold time; the eight minutes of RFC 9687 are long for a withdrawal that waits. */
export function sendHoldMs(holdTimeMs: number): number {
  return holdTimeMs === 0 ? SEND_HOLD_TIME_MS : 2 * holdTimeMs;
}

/** Twelve bits of seconds (RFC 4724 section 3); zero = no graceful restart. */
export function restartTimeSeconds(ms: number): number {
  return Math.min(Math.ceil(ms / 1000), MAX_RESTART_TIME_S);
}
