import type { Random } from './ports.ts';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Share of each delay that is random, 0..1: 0.25 gives 75 to 100 % of the nominal delay. 0 is honoured. */
  readonly jitter: number;
}

/** A growing sequence of delays. Pure but for the random source that it is given. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #nominalMs: number;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#nominalMs = options.firstMs;
  }

  /** The delay before the next attempt, in milliseconds; each call grows the one after. */
  next(): number {
    const { maxMs, factor, jitter } = this.#options;
    const delay = this.#nominalMs * (1 - jitter * this.#random());
    this.#nominalMs = Math.min(this.#nominalMs * factor, maxMs);
    return delay;
  }

  reset(): void {
    this.#nominalMs = this.#options.firstMs;
  }
}
