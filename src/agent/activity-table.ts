import type { DataplaneState, DestinationActivity } from '../ipvs/dataplane.ts';
import type { Connections } from './policy/connections.ts';
import type { EffectiveService } from './policy/effective-state.ts';
import type { EntryNames } from './policy/entry-names.ts';
import { addRates, NO_RATES } from './policy/traffic-figures.ts';
import type { Rates } from './policy/traffic-figures.ts';

interface Activity {
  readonly connections: Connections;
  readonly rates: Rates;
}

/** Figures of a real: three counts of connections, and five rates. */
const WIDTH = 8;

/**
 * Connections and rates of one service and its reals, over all the kernel services that it expands to. They are copied
 * when it is made, as bare numbers: the picture of the kernel that they come from may tell others soon, and an object
 * for each of ten thousand reals costs the collector more than making it.
 */
export class ActivityTable {
  /** Where the figures of a real begin, by name. */
  readonly #rows = new Map<string, number>();
  readonly #figures: Float64Array;
  readonly #service: Activity;

  /** @param actual null = not known: all is 0 */
  constructor({ kernelKeys, reals }: EffectiveService, names: EntryNames, actual: DataplaneState | null) {
    this.#figures = new Float64Array(reals.size * WIDTH);
    for (const real of reals.keys()) this.#rows.set(real, this.#rows.size * WIDTH);
    const connections = { active: 0, inactive: 0, persistent: 0 };
    let rates = NO_RATES;
    for (const key of kernelKeys) {
      const held = actual?.get(key);
      if (held === undefined) continue;
      for (const [destination, { activity }] of held.destinations) {
        connections.active += activity.activeConnections;
        connections.inactive += activity.inactiveConnections;
        connections.persistent += activity.persistentConnections;
        const real = names.real(key, destination);
        const row = real === null ? undefined : this.#rows.get(real);
        if (row !== undefined) this.#add(row, activity);
      }
      rates = addRates(rates, held.stats);
    }
    this.#service = { connections, rates };
  }

  ofService(): Activity {
    return this.#service;
  }

  ofReal(real: string): Activity {
    const row = this.#rows.get(real) ?? this.#figures.length;
    const figure = (column: number): number => this.#figures[row + column] ?? 0;
    return {
      connections: { active: figure(0), inactive: figure(1), persistent: figure(2) },
      rates: {
        connectionsPerSecond: figure(3),
        inPacketsPerSecond: figure(4),
        outPacketsPerSecond: figure(5),
        inBytesPerSecond: figure(6),
        outBytesPerSecond: figure(7),
      },
    };
  }

  #add(row: number, activity: DestinationActivity): void {
    const { stats } = activity;
    const add = (column: number, value: number): void => {
      this.#figures[row + column] = (this.#figures[row + column] ?? 0) + value;
    };
    add(0, activity.activeConnections);
    add(1, activity.inactiveConnections);
    add(2, activity.persistentConnections);
    add(3, stats.connectionsPerSecond);
    add(4, stats.inPacketsPerSecond);
    add(5, stats.outPacketsPerSecond);
    add(6, stats.inBytesPerSecond);
    add(7, stats.outBytesPerSecond);
  }
}
