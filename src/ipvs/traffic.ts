import type { DestinationActivity, TrafficStats } from './dataplane.ts';

/** The counters of an entry that no packet has met yet. */
export const NO_TRAFFIC: TrafficStats = {
  connections: 0n,
  inPackets: 0n,
  outPackets: 0n,
  inBytes: 0n,
  outBytes: 0n,
  connectionsPerSecond: 0,
  inPacketsPerSecond: 0,
  outPacketsPerSecond: 0,
  inBytesPerSecond: 0,
  outBytesPerSecond: 0,
};

export const NO_ACTIVITY: DestinationActivity = {
  activeConnections: 0,
  inactiveConnections: 0,
  persistentConnections: 0,
  stats: NO_TRAFFIC,
};
