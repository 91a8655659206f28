/**
 * What the agent needs from its surroundings. Constructors take these, so that a test can own time, chance and logs.
 */

/** Stops a timer; calling it twice, or after the timer fired, does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Wall-clock time, milliseconds since the epoch: only for people and for other machines. */
  now(): number;
  /** Monotonic milliseconds with a fraction: for every duration and deadline. */
  monotonic(): number;
  /** Runs `fn` once after `ms` milliseconds. */
  after(ms: number, fn: () => void): Cancel;
}

/** A number in [0, 1). */
export type Random = () => number;

/** The part of pino that we use, so that tests and workers can pass something smaller. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: Record<string, unknown>): Log;
}

export type Unsubscribe = () => void;

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
