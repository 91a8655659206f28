import { destinationKeyOf, serviceKeyOf } from '../dataplane.ts';
import type {
  ActualDestination,
  ActualService,
  DataplaneState,
  DestinationActivity,
  DestinationKey,
  ServiceKey,
  TrafficStats,
} from '../dataplane.ts';
import { familyOf } from '../../model/address.ts';
import { NO_ACTIVITY, NO_TRAFFIC } from '../traffic.ts';
import type { Endpoint, FlowCount } from '../conntrack/flows.ts';
import type { ListedService } from './decode.ts';

/**
 * Joins what our table holds with what connection tracking knows of it. Rules count connections as they begin; how
 * many go on, only connection tracking can say. Where it cannot be asked, every real is taken to have one connection,
 * so that nothing that leaves is thought to be idle: it stays until its deadline.
 */
export function withActivity(
  services: ReadonlyMap<ServiceKey, ListedService>,
  flows: readonly FlowCount[] | null,
): DataplaneState {
  const count = flows === null ? () => UNCOUNTED : counterOf(services, flows);
  const state = new Map<ServiceKey, ActualService>();
  for (const [key, { service, connections, destinations, connectionsOf }] of services) {
    const actual = new Map<DestinationKey, ActualDestination>();
    for (const [each, destination] of destinations) {
      const stats = started(connectionsOf.get(each) ?? 0n);
      actual.set(each, { destination, activity: { ...NO_ACTIVITY, ...count(key, each), stats } });
    }
    state.set(key, { service, stats: started(connections), destinations: actual });
  }
  return state;
}

type Connections = Pick<DestinationActivity, 'activeConnections' | 'inactiveConnections'>;

const UNCOUNTED: Connections = { activeConnections: 1, inactiveConnections: 0 };
const NONE: Connections = { activeConnections: 0, inactiveConnections: 0 };

function started(connections: bigint): TrafficStats {
  return { ...NO_TRAFFIC, connections };
}

function counterOf(
  services: ReadonlyMap<ServiceKey, ListedService>,
  flows: readonly FlowCount[],
): (service: ServiceKey, destination: DestinationKey) => Connections {
  const counts = new Map<string, Connections>();
  const marked = [...services.values()].filter(({ service }) => service.match.kind === 'fwmark');
  for (const flow of flows) {
    const found = placeOf(flow, services) ?? placeByReal(flow, marked);
    if (found === null) continue;
    const before = counts.get(found) ?? NONE;
    counts.set(found, {
      activeConnections: before.activeConnections + flow.established,
      inactiveConnections: before.inactiveConnections + flow.flows - flow.established,
    });
  }
  return (service, destination) => counts.get(place(service, destination)) ?? NONE;
}

function place(service: ServiceKey, destination: DestinationKey): string {
  return `${service} > ${destination}`;
}

/** By what the client called: the service of that port, or that of every port. */
function placeOf(
  { protocol, service, real }: FlowCount,
  services: ReadonlyMap<ServiceKey, ListedService>,
): string | null {
  const family = familyOf(service.address);
  for (const port of [service.port, 0]) {
    const key = serviceKeyOf({ kind: 'address', family, protocol, address: service.address, port });
    const destination = destinationIn(services.get(key), real);
    if (destination !== null) return place(key, destination);
  }
  return null;
}

/** Connection tracking does not know the mark that a packet had, so what has no other place goes by its real. */
function placeByReal({ real }: FlowCount, marked: readonly ListedService[]): string | null {
  for (const listed of marked) {
    const destination = destinationIn(listed, real);
    if (destination !== null) return place(serviceKeyOf(listed.service.match), destination);
  }
  return null;
}

function destinationIn(listed: ListedService | undefined, real: Endpoint): DestinationKey | null {
  const keys = [destinationKeyOf(real), destinationKeyOf({ ...real, port: 0 })];
  return keys.find((key) => listed?.destinations.has(key)) ?? null;
}
