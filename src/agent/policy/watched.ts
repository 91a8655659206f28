import type { DataplaneState, ServiceKey, ServiceMatch } from '../../ipvs/dataplane.ts';
import type { Effective, EffectiveService } from './effective-state.ts';
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
  for (const service of effective?.services.values() ?? []) {
    if (isLowering(service)) for (const key of service.kernelKeys) keys.add(key);
  }
  const there = [...keys].flatMap((key) => actual.get(key) ?? []);
  if (there.length === 0) return null;
  const destinations = there.reduce((sum, service) => sum + service.destinations.size, 0);
  return {
    matches: there.map(({ service }) => service.match),
    everyMs: Math.max(SHORTEST_MS, destinations * PER_DESTINATION_MS),
  };
}

/** A service about which a decision stands is the same object in every pass: its reals are looked through once. */
const lowering = new WeakMap<EffectiveService, boolean>();

function isLowering(service: EffectiveService): boolean {
  const known = lowering.get(service);
  if (known !== undefined) return known;
  const found = [...service.reals.values()].some(({ drainedSince, weight }) => drainedSince !== null && weight > 0);
  lowering.set(service, found);
  return found;
}
