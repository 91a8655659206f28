import type { Clock, Log } from '../core/ports.ts';
import { DRIFT_KINDS } from '../model/drift-kinds.ts';
import type { DriftKind } from '../model/drift-kinds.ts';
import { drift } from './policy/drift.ts';
import type { Difference, Holdings } from './policy/drift.ts';
import type { Journal } from './policy/journal.ts';

/** What a reading found, next to what was known before. */
export interface Comparison {
  /** false: nothing was known to compare with, or the kernel could not be read. */
  readonly compared: boolean;
  readonly differences: readonly Difference[];
}

export interface Repair extends Difference {
  /** Wall-clock milliseconds at which it was found. */
  readonly at: number;
}

const NOT_COMPARED: Comparison = { compared: false, differences: [] };
/** How many are remembered one by one; all are counted. */
const REMEMBERED = 50;
/** How many a log line spells out. */
const SPELLED_OUT = 20;

/** Compares readings of the whole host, and keeps what others had changed in what is ours. */
export class DriftWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counts = new Map<DriftKind, number>(DRIFT_KINDS.map((kind) => [kind, 0]));
  #recent: readonly Repair[] = [];
  #last: Comparison = NOT_COMPARED;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** @param before null = nothing was known */
  compare(before: Holdings | null, after: Holdings, journal: Journal): void {
    if (before === null) {
      this.#last = NOT_COMPARED;
      return;
    }
    const differences = drift(before, after, journal);
    this.#last = { compared: true, differences };
    if (differences.length === 0) return;
    const at = this.#clock.now();
    for (const { kind } of differences) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    this.#recent = [...this.#recent, ...differences.slice(-REMEMBERED).map((each) => ({ ...each, at }))].slice(
      -REMEMBERED,
    );
    const first = differences.slice(0, SPELLED_OUT).map(({ text }) => text);
    this.#log.warn(
      { differences: differences.length, first },
      'somebody else changed our part of the kernel: mending it',
    );
  }

  /** The host could not be read. */
  lose(): void {
    this.#last = NOT_COMPARED;
  }

  /** What the last reading found. */
  last(): Comparison {
    return this.#last;
  }

  /** The last ones, oldest first. */
  recent(): readonly Repair[] {
    return this.#recent;
  }

  counts(): ReadonlyMap<DriftKind, number> {
    return this.#counts;
  }
}
