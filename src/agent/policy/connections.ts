import type { DestinationActivity } from '../../ipvs/dataplane.ts';

/** What is open at a real. Persistent ones are templates: clients that would come back to it. */
export interface Connections {
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
}

export const NO_CONNECTIONS: Connections = { active: 0, inactive: 0, persistent: 0 };

export function connectionsOf(activity: DestinationActivity): Connections {
  const { activeConnections, inactiveConnections, persistentConnections } = activity;
  return { active: activeConnections, inactive: inactiveConnections, persistent: persistentConnections };
}

export function addConnections(a: Connections, b: Connections): Connections {
  return {
    active: a.active + b.active,
    inactive: a.inactive + b.inactive,
    persistent: a.persistent + b.persistent,
  };
}

export function totalOf({ active, inactive, persistent }: Connections): number {
  return active + inactive + persistent;
}
