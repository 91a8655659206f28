import type { Log } from '../core/ports.ts';
import type { DataplaneOp } from '../ipvs/dataplane.ts';
import type { PacketMarks } from '../ipvs/packet-marks.ts';
import type { Counters } from './counters.ts';
import type { Effective } from './policy/effective-state.ts';
import type { Journal } from './policy/journal.ts';
import { leavingMarks, marksLeftBehind } from './policy/marks.ts';

interface Programmed {
  readonly journal: Journal;
  readonly services: readonly DataplaneOp[];
}

/**
 * Keeps the packet marks those that services ask for. It asks the port when what is wanted changes, and to verify after
 * each reading of the kernel; once it has seen that there are none and none are wanted, no more.
 */
export class MarkDriver {
  readonly #counters: Counters;
  readonly #log: Log;
  /** What is in force since a reading; null = not known. */
  #done: { readonly marks: PacketMarks; readonly wanted: string; readonly readAt: number } | null = null;

  constructor(deps: { readonly counters: Counters; readonly log: Log }) {
    this.#counters = deps.counters;
    this.#log = deps.log;
  }

  /** @param readAt monotonic time of the last reading of the kernel */
  async follow(
    marks: PacketMarks,
    effective: Effective,
    { journal, services }: Programmed,
    readAt: number,
    failures: string[],
  ): Promise<void> {
    const leaving = leavingMarks(effective, journal, services);
    const all = [...marksLeftBehind(effective, journal), ...effective.marks];
    const wanted = JSON.stringify([all, [...leaving]]);
    const before = this.#done?.marks === marks && this.#done.wanted === wanted ? this.#done : null;
    if (before !== null && (before.readAt === readAt || wanted === NOTHING)) return;
    const applied = await marks.apply(all, leaving);
    if (!applied.ok) {
      this.#done = null;
      failures.push(`packet marks: ${applied.error.message}`);
      return;
    }
    this.#done = { marks, wanted, readAt };
    if (!applied.value) return;
    this.#counters.operations++;
    if (before !== null) this.#log.warn({}, 'somebody else changed our packet marks: mended');
  }
}

const NOTHING = JSON.stringify([[], []]);
