import { addConnections, connectionsOf, NO_CONNECTIONS } from './policy/connections.ts';
import type { Connections } from './policy/connections.ts';
import type { EffectiveService } from './policy/effective-state.ts';
import type { EntryNames } from './policy/entry-names.ts';
import { addRates, NO_RATES } from './policy/traffic-figures.ts';
import type { Rates } from './policy/traffic-figures.ts';
import type { DataplaneState } from '../ipvs/dataplane.ts';

interface Activity {
  readonly connections: Connections;
  readonly rates: Rates;
}

const NONE: Activity = { connections: NO_CONNECTIONS, rates: NO_RATES };

/** Connections and rates of one service and its reals, over all the kernel services that it expands to. */
export class ActivityTable {
  readonly #byReal = new Map<string, Activity>();
  #service: Activity = NONE;

  /** @param actual null = not known: all is 0 */
  constructor({ kernelKeys }: EffectiveService, names: EntryNames, actual: DataplaneState | null) {
    for (const key of kernelKeys) {
      const held = actual?.get(key);
      if (held === undefined) continue;
      let connections = this.#service.connections;
      for (const [destination, { activity }] of held.destinations) {
        const open = connectionsOf(activity);
        connections = addConnections(connections, open);
        const real = names.real(key, destination);
        if (real === null) continue;
        const before = this.#byReal.get(real);
        this.#byReal.set(
          real,
          before === undefined
            ? { connections: open, rates: activity.stats }
            : {
                connections: addConnections(before.connections, open),
                rates: addRates(before.rates, activity.stats),
              },
        );
      }
      this.#service = { connections, rates: addRates(this.#service.rates, held.stats) };
    }
  }

  ofService(): Activity {
    return this.#service;
  }

  ofReal(real: string): Activity {
    return this.#byReal.get(real) ?? NONE;
  }
}
