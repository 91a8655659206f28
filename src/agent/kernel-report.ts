import type { InterfaceAddress } from '../ipvs/addresses.ts';
import type { DataplaneInfo, DataplaneState, ServiceKey } from '../ipvs/dataplane.ts';
import type { DriftKind } from '../model/drift-kinds.ts';
import type { Repair } from './drift-watch.ts';
import type { LeavingAddress, LeavingEntry } from './policy/journal.ts';

/** What the host is known to hold: as it was read, and what was done since. */
export interface Picture {
  readonly services: DataplaneState;
  readonly addresses: readonly InterfaceAddress[];
}

/** The driver's part of the status page. Times are wall-clock milliseconds, null = never. */
export interface KernelReport {
  readonly adapter: string;
  /** What it tells about itself; null = not asked yet. */
  readonly info: DataplaneInfo | null;
  readonly picture: Picture | null;
  readonly foreign: readonly ServiceKey[];
  readonly leaving: readonly LeavingEntry[];
  readonly leavingAddresses: readonly LeavingAddress[];
  readonly lastRead: number | null;
  readonly lastApply: number | null;
  readonly lastOps: number;
  /** What failed in the last pass, and neighbours that could not be told; empty = everything is as it should be. */
  readonly failures: readonly string[];
  /** What others had changed, the last ones. */
  readonly repairs: readonly Repair[];
  readonly repairCounts: ReadonlyMap<DriftKind, number>;
  /** What keeps the host from forwarding, although the kernel holds what it should. */
  readonly hindrances: readonly string[];
}

/** Before the first pass. */
export const NOTHING_DONE: KernelReport = {
  adapter: 'none',
  info: null,
  picture: null,
  foreign: [],
  leaving: [],
  leavingAddresses: [],
  lastRead: null,
  lastApply: null,
  lastOps: 0,
  failures: [],
  repairs: [],
  repairCounts: new Map(),
  hindrances: [],
};
