import type { InterfaceAddress } from '../../ipvs/addresses.ts';
import type { ActualService, DataplaneState, ServiceKey } from '../../ipvs/dataplane.ts';
import { describeMatch } from '../../ipvs/describe.ts';
import { sameDestination, sameService } from '../../ipvs/equality.ts';
import { formatEndpoint } from '../../model/address.ts';
import type { DriftKind } from '../../model/drift-kinds.ts';
import type { Journal } from './journal.ts';
import { addressKey } from './journal.ts';

/** One thing that somebody else changed in what is ours. */
export interface Difference {
  readonly kind: DriftKind;
  /** As a sentence. */
  readonly text: string;
}

/** What the host was known to hold, or holds. */
export interface Holdings {
  readonly services: DataplaneState;
  readonly addresses: readonly InterfaceAddress[];
}

/**
 * What somebody else changed between two pictures of the host: only in services and addresses that are ours, as the
 * journal says, and without counters and connections, which change by themselves.
 */
export function drift(before: Holdings, after: Holdings, { services, addresses }: Journal): Difference[] {
  const found: Difference[] = [];
  for (const key of Object.keys(services)) {
    const was = before.services.get(key as ServiceKey);
    const is = after.services.get(key as ServiceKey);
    if (was === undefined || was === is) continue;
    if (is === undefined)
      found.push({ kind: 'service-gone', text: `service ${describeMatch(was.service.match)} is gone` });
    else found.push(...serviceDrift(was, is));
  }
  const there = new Set(after.addresses.map(addressKey));
  for (const address of before.addresses) {
    const key = addressKey(address);
    if (!Object.hasOwn(addresses, key) || there.has(key)) continue;
    found.push({ kind: 'address-gone', text: `address ${address.address} on ${address.interface} is gone` });
  }
  return found;
}

function serviceDrift(was: ActualService, is: ActualService): Difference[] {
  const found: Difference[] = [];
  const name = describeMatch(is.service.match);
  if (!sameService(was.service, is.service)) found.push({ kind: 'service-edited', text: `service ${name} was edited` });
  if (was.destinations === is.destinations) return found;
  for (const [key, { destination }] of was.destinations) {
    const now = is.destinations.get(key);
    const real = `real ${formatEndpoint(destination.address, destination.port)} of ${name}`;
    if (now === undefined) found.push({ kind: 'real-gone', text: `${real} is gone` });
    else if (destination.weight !== now.destination.weight) {
      const text = `${real} was edited: weight ${now.destination.weight} instead of ${destination.weight}`;
      found.push({ kind: 'real-edited', text });
    } else if (!sameDestination(destination, now.destination)) {
      found.push({ kind: 'real-edited', text: `${real} was edited` });
    }
  }
  for (const [key, { destination }] of is.destinations) {
    if (was.destinations.has(key)) continue;
    const real = formatEndpoint(destination.address, destination.port);
    found.push({ kind: 'real-added', text: `real ${real} of ${name} was added` });
  }
  return found;
}
