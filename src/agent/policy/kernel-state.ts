import type { AddressOp, InterfaceAddress } from '../../ipvs/addresses.ts';
import type {
  ActualDestination,
  ActualService,
  DataplaneOp,
  DataplaneState,
  DestinationKey,
  KernelDestination,
  ServiceKey,
} from '../../ipvs/dataplane.ts';
import { destinationKeyOf, matchOf, serviceKeyOf } from '../../ipvs/dataplane.ts';
import { NO_ACTIVITY, NO_TRAFFIC } from '../../ipvs/traffic.ts';
import { familyOf } from '../../model/address.ts';

/** What the kernel holds after operations that it acknowledged, so that nobody needs to read it again. */
export function applyToState(state: DataplaneState, ops: readonly DataplaneOp[]): DataplaneState {
  if (ops.length === 0) return state;
  const services = new Map(state);
  const copied = new Map<ServiceKey, Map<DestinationKey, ActualDestination>>();
  // Each service that is touched is copied once, however many operations touch it.
  const destinationsOf = (key: ServiceKey, service: ActualService): Map<DestinationKey, ActualDestination> => {
    const known = copied.get(key);
    if (known !== undefined) return known;
    const copy = new Map(service.destinations);
    copied.set(key, copy);
    services.set(key, { ...service, destinations: copy });
    return copy;
  };
  for (const op of ops) {
    const key = serviceKeyOf(matchOf(op));
    const service = services.get(key);
    if (op.kind === 'addService') {
      const destinations = new Map<DestinationKey, ActualDestination>();
      copied.set(key, destinations);
      services.set(key, { service: op.service, stats: NO_TRAFFIC, destinations });
    } else if (op.kind === 'deleteService') {
      copied.delete(key);
      services.delete(key);
    } else if (service === undefined) {
      // Acknowledged for a service that the picture does not have: the picture is wrong, and the next reading mends it.
      continue;
    } else if (op.kind === 'editService') {
      services.set(key, { ...service, service: op.service });
    } else if (op.kind === 'deleteDestination') {
      destinationsOf(key, service).delete(destinationKeyOf(op));
    } else {
      put(destinationsOf(key, service), op.destination);
    }
  }
  return services;
}

/**
 * The same entries with the counters and connections of a later reading. Entries that only one of the two has are left
 * to the next reading of everything, which tells who changed them.
 */
export function withActivity(state: DataplaneState, later: DataplaneState): DataplaneState {
  if (later.size === 0) return state;
  const services = new Map(state);
  for (const [key, { stats, destinations: counted }] of later) {
    const service = services.get(key);
    if (service === undefined) continue;
    const destinations = new Map(service.destinations);
    for (const [name, { activity }] of counted) {
      const known = destinations.get(name);
      if (known !== undefined) destinations.set(name, { destination: known.destination, activity });
    }
    services.set(key, { ...service, stats, destinations });
  }
  return services;
}

/** An edit keeps the counts of connections. */
function put(destinations: Map<DestinationKey, ActualDestination>, destination: KernelDestination): void {
  const key = destinationKeyOf(destination);
  destinations.set(key, { destination, activity: destinations.get(key)?.activity ?? NO_ACTIVITY });
}

export function applyAddressOps(
  addresses: readonly InterfaceAddress[],
  ops: readonly AddressOp[],
): readonly InterfaceAddress[] {
  return ops.reduce<readonly InterfaceAddress[]>((current, op) => {
    const others = current.filter(({ interface: name, address }) => name !== op.interface || address !== op.address);
    if (op.kind === 'deleteAddress') return others;
    const prefixLength = familyOf(op.address) === 'ipv4' ? 32 : 128;
    return [...others, { interface: op.interface, address: op.address, prefixLength, marked: true }];
  }, addresses);
}
