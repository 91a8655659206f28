import { median } from './numbers.ts';

/** Measurements of a process that has run for long. */
export interface Settled {
  readonly values: readonly number[];
  /** Measurements that came before them. */
  readonly before: number;
}

const ROUND = 12;
const MOST_ROUNDS = 12;
/** Share by which medians of two rounds may differ. */
const STILL = 0.05;

/** Measures until the figures stand still: a daemon lives for months, and its first minutes are not its speed. */
export async function onceStill(measure: () => Promise<number>): Promise<Settled> {
  let before = 0;
  let last = Number.NaN;
  for (let round = 1; ; round++) {
    const values: number[] = [];
    while (values.length < ROUND) values.push(await measure());
    const now = median(values);
    if (Math.abs(now - last) <= STILL * last || round === MOST_ROUNDS) return { values, before };
    last = now;
    before += ROUND;
  }
}
