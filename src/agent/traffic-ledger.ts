import type {
  DataplaneState,
  DestinationActivity,
  DestinationKey,
  ServiceKey,
  TrafficStats,
} from '../ipvs/dataplane.ts';
import type { Effective } from './policy/effective-state.ts';
import { EntryNames } from './policy/entry-names.ts';
import type { LeavingEntry } from './policy/journal.ts';
import { addTotals, NO_TOTALS, since, totalsOf } from './policy/traffic-figures.ts';
import type { Totals } from './policy/traffic-figures.ts';

/** A kernel entry when it was last counted. */
interface Counted {
  readonly counters: Totals;
  /**
   * What told them: as long as a reading gives the same, of the same revision, nothing was counted. Never the entry of a
   * service: with its destinations it would keep a reading of long ago in memory.
   */
  readonly teller: TrafficStats | DestinationActivity;
  readonly revision: number | undefined;
}

interface CountedDestination extends Counted {
  /** The real that it counted for. */
  readonly real: string;
}

interface CountedService extends Counted {
  readonly destinations: Map<DestinationKey, CountedDestination>;
}

/** A service record with its reals. */
interface Account {
  totals: Totals;
  /** By name of the real. */
  readonly reals: Map<string, Totals>;
  readonly kernel: Map<ServiceKey, CountedService>;
}

/**
 * Counters by record, which never go back. The kernel's own go back to 0 when an entry is made anew, and a service that
 * loses one of its kernel services would lose its share of the sum; here only what was added since the last reading
 * counts. At the first reading the total is what the kernel has.
 */
export class TrafficLedger {
  /** By name of the service. Kernel entries that are gone are kept as long as their record: some come back as they were. */
  readonly #accounts = new Map<string, Account>();

  take(effective: Effective, leaving: readonly LeavingEntry[], actual: DataplaneState): void {
    const names = new EntryNames(effective, leaving);
    for (const [key, { service }] of effective.kernel) {
      const held = actual.get(key);
      if (held === undefined) continue;
      const account = this.#accountOf(service);
      const { destinations } = countService(account, key, held.stats);
      for (const [destination, { activity }] of held.destinations) {
        const real = names.real(key, destination);
        if (real !== null) countReal(account, destinations, destination, real, activity);
      }
    }
    this.#forget(effective);
  }

  ofService(service: string): Totals {
    return this.#accounts.get(service)?.totals ?? NO_TOTALS;
  }

  ofReal(service: string, real: string): Totals {
    return this.#accounts.get(service)?.reals.get(real) ?? NO_TOTALS;
  }

  #accountOf(service: string): Account {
    const known = this.#accounts.get(service);
    if (known !== undefined) return known;
    const account: Account = { totals: NO_TOTALS, reals: new Map(), kernel: new Map() };
    this.#accounts.set(service, account);
    return account;
  }

  #forget({ services }: Effective): void {
    for (const [name, { reals, kernel }] of this.#accounts) {
      const service = services.get(name);
      if (service === undefined) {
        this.#accounts.delete(name);
        continue;
      }
      for (const real of reals.keys()) if (!service.reals.has(real)) reals.delete(real);
      for (const { destinations } of kernel.values()) {
        for (const [key, { real }] of destinations) if (!reals.has(real)) destinations.delete(key);
      }
    }
  }
}

function countService(account: Account, key: ServiceKey, stats: TrafficStats): CountedService {
  const before = account.kernel.get(key);
  if (before?.teller === stats) return before;
  const counters = totalsOf(stats);
  account.totals = addTotals(account.totals, since(before?.counters ?? NO_TOTALS, counters));
  const counted = {
    counters,
    teller: stats,
    revision: undefined,
    destinations: before?.destinations ?? new Map<DestinationKey, CountedDestination>(),
  };
  account.kernel.set(key, counted);
  return counted;
}

function countReal(
  { reals }: Account,
  destinations: Map<DestinationKey, CountedDestination>,
  key: DestinationKey,
  real: string,
  activity: DestinationActivity,
): void {
  const before = destinations.get(key);
  const { revision } = activity;
  if (before?.real === real && before.teller === activity && before.revision === revision) return;
  const counters = totalsOf(activity.stats);
  const added = before?.real === real ? since(before.counters, counters) : counters;
  destinations.set(key, { real, counters, teller: activity, revision });
  reals.set(real, addTotals(reals.get(real) ?? NO_TOTALS, added));
}
