import type { TrafficStats } from '../../ipvs/dataplane.ts';

/** Counters; as numbers, which are exact up to 2^53 (nine petabytes) and close above. */
export interface Totals {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** By the kernel's estimators, which look every two seconds; all 0 where `net.ipv4.vs.run_estimation` is off. */
export interface Rates {
  readonly connectionsPerSecond: number;
  readonly inPacketsPerSecond: number;
  readonly outPacketsPerSecond: number;
  readonly inBytesPerSecond: number;
  readonly outBytesPerSecond: number;
}

export const NO_TOTALS: Totals = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };

export const NO_RATES: Rates = {
  connectionsPerSecond: 0,
  inPacketsPerSecond: 0,
  outPacketsPerSecond: 0,
  inBytesPerSecond: 0,
  outBytesPerSecond: 0,
};

export function totalsOf(stats: TrafficStats): Totals {
  return {
    connections: Number(stats.connections),
    inPackets: Number(stats.inPackets),
    outPackets: Number(stats.outPackets),
    inBytes: Number(stats.inBytes),
    outBytes: Number(stats.outBytes),
  };
}

/** What was counted since `before`; an entry that counts less than before was made anew, and has counted all of it. */
export function since(before: Totals, now: Totals): Totals {
  const anew =
    now.connections < before.connections ||
    now.inPackets < before.inPackets ||
    now.outPackets < before.outPackets ||
    now.inBytes < before.inBytes ||
    now.outBytes < before.outBytes;
  if (anew) return now;
  return {
    connections: now.connections - before.connections,
    inPackets: now.inPackets - before.inPackets,
    outPackets: now.outPackets - before.outPackets,
    inBytes: now.inBytes - before.inBytes,
    outBytes: now.outBytes - before.outBytes,
  };
}

export function addTotals(a: Totals, b: Totals): Totals {
  if (a === NO_TOTALS) return b;
  return {
    connections: a.connections + b.connections,
    inPackets: a.inPackets + b.inPackets,
    outPackets: a.outPackets + b.outPackets,
    inBytes: a.inBytes + b.inBytes,
    outBytes: a.outBytes + b.outBytes,
  };
}

export function addRates(a: Rates, b: Rates): Rates {
  return {
    connectionsPerSecond: a.connectionsPerSecond + b.connectionsPerSecond,
    inPacketsPerSecond: a.inPacketsPerSecond + b.inPacketsPerSecond,
    outPacketsPerSecond: a.outPacketsPerSecond + b.outPacketsPerSecond,
    inBytesPerSecond: a.inBytesPerSecond + b.inBytesPerSecond,
    outBytesPerSecond: a.outBytesPerSecond + b.outBytesPerSecond,
  };
}
