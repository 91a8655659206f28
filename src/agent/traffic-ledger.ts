import type { ServiceKey, TrafficStats } from '../ipvs/dataplane.ts';
import type { Effective } from './policy/effective-state.ts';
import { EntryNames } from './policy/entry-names.ts';
import type { LeavingEntry } from './policy/journal.ts';
import { addTotals, NO_TOTALS, since, totalsOf } from './policy/traffic-figures.ts';
import type { Totals } from './policy/traffic-figures.ts';
import type { DataplaneState } from '../ipvs/dataplane.ts';

interface Counted {
  /** Name of the record that it counted for, "web" or "web/a". */
  readonly record: string;
  readonly counters: Totals;
  /** What told them: as long as a reading gives the same, nothing was counted. */
  readonly teller: object;
}

/**
 * Counters by record, which never go back. The kernel's own go back to 0 when an entry is made anew, and a service that
 * loses one of its kernel services would lose its share of the sum; here only what was added since the last reading
 * counts. At the first reading the total is what the kernel has.
 */
export class TrafficLedger {
  /** By key of the kernel entry. Those that are gone are kept as long as their record: some come back as they were. */
  readonly #entries = new Map<string, Counted>();
  readonly #totals = new Map<string, Totals>();

  take(effective: Effective, leaving: readonly LeavingEntry[], actual: DataplaneState): void {
    const names = new EntryNames(effective, leaving);
    for (const [key, { service }] of effective.kernel) {
      const held = actual.get(key);
      if (held === undefined) continue;
      this.#count(key, service, held);
      for (const [destination, actual] of held.destinations) {
        const real = names.real(key, destination);
        if (real !== null) this.#count(`${key} ${destination}`, recordOf(service, real), actual.activity);
      }
    }
    this.#forget(effective);
  }

  ofService(service: string): Totals {
    return this.#totals.get(service) ?? NO_TOTALS;
  }

  ofReal(service: string, real: string): Totals {
    return this.#totals.get(recordOf(service, real)) ?? NO_TOTALS;
  }

  #count(entry: ServiceKey | string, record: string, teller: { readonly stats: TrafficStats }): void {
    const before = this.#entries.get(entry);
    if (before?.teller === teller && before.record === record) return;
    const counters = totalsOf(teller.stats);
    const added = before?.record === record ? since(before.counters, counters) : counters;
    this.#entries.set(entry, { record, counters, teller });
    this.#totals.set(record, addTotals(this.#totals.get(record) ?? NO_TOTALS, added));
  }

  #forget({ services }: Effective): void {
    const isGone = (record: string): boolean => {
      const [service = '', real] = record.split('/');
      const known = services.get(service);
      return known === undefined || (real !== undefined && !known.reals.has(real));
    };
    for (const record of this.#totals.keys()) if (isGone(record)) this.#totals.delete(record);
    for (const [entry, { record }] of this.#entries) if (!this.#totals.has(record)) this.#entries.delete(entry);
  }
}

function recordOf(service: string, real: string): string {
  return `${service}/${real}`;
}
