import type { DataplaneState, ServiceKey, ServiceMatch } from '../../ipvs/dataplane.ts';
import type { Effective } from './effective-state.ts';
import type { LeavingEntry } from './journal.ts';

/** Kernel services whose connections somebody waits for. */
export interface Watched {
  readonly matches: readonly ServiceMatch[];
  /** How often they are counted: every second, and less often the more there is to read. */
  readonly everyMs: number;
}

const SHORTEST_MS = 1_000;
/** A reading of one destination pays for this much time, so that watching never fills more than a small part of it. */
const PER_DESTINATION_MS = 1;

/** Those that something leaves, and those of reals whose weight is on the way down; null = there are none. */
export function watched(
  leaving: readonly LeavingEntry[],
  effective: Effective | null,
  actual: DataplaneState,
): Watched | null {
  const keys = new Set<ServiceKey>(leaving.map(({ key }) => key));
  for (const { reals, kernelKeys } of effective?.services.values() ?? []) {
    for (const { drainedSince, weight } of reals.values()) {
      if (drainedSince === null || weight === 0) continue;
      for (const key of kernelKeys) keys.add(key);
      break;
    }
  }
  const there = [...keys].flatMap((key) => actual.get(key) ?? []);
  if (there.length === 0) return null;
  const destinations = there.reduce((sum, service) => sum + service.destinations.size, 0);
  return {
    matches: there.map(({ service }) => service.match),
    everyMs: Math.max(SHORTEST_MS, destinations * PER_DESTINATION_MS),
  };
}
