import type { ActualService, DataplaneState, ServiceKey } from '../../ipvs/dataplane.ts';
import { describeMatch } from '../../ipvs/describe.ts';
import { sameDestination, sameService } from '../../ipvs/equality.ts';
import { formatEndpoint } from '../../model/address.ts';
import type { Named } from './desired-state.ts';

/**
 * What somebody else changed between two pictures of the kernel, as sentences: only in services that are ours
 * (`owned`, by ServiceKey), and without counters and connections, which change by themselves.
 */
export function drift(before: DataplaneState, after: DataplaneState, owned: Named<unknown>): string[] {
  const found: string[] = [];
  for (const key of Object.keys(owned)) {
    const was = before.get(key as ServiceKey);
    const is = after.get(key as ServiceKey);
    if (was === undefined) continue;
    if (is === undefined) found.push(`service ${describeMatch(was.service.match)} is gone`);
    else found.push(...serviceDrift(was, is));
  }
  return found;
}

function serviceDrift(was: ActualService, is: ActualService): string[] {
  const found: string[] = [];
  const name = describeMatch(is.service.match);
  if (!sameService(was.service, is.service)) found.push(`service ${name} was edited`);
  for (const [key, { destination }] of was.destinations) {
    const now = is.destinations.get(key);
    const real = formatEndpoint(destination.address, destination.port);
    if (now === undefined) found.push(`real ${real} of ${name} is gone`);
    else if (!sameDestination(destination, now.destination)) found.push(`real ${real} of ${name} was edited`);
  }
  for (const [key, { destination }] of is.destinations) {
    if (was.destinations.has(key)) continue;
    found.push(`real ${formatEndpoint(destination.address, destination.port)} of ${name} was added`);
  }
  return found;
}
