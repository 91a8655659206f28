import type { Forwarding, KernelDestination, KernelService } from './dataplane.ts';
import { serviceKeyOf } from './dataplane.ts';

/** Whether an edit from one to the other would change anything. */
export function sameService(a: KernelService, b: KernelService): boolean {
  if (a === b) return true;
  return (
    serviceKeyOf(a.match) === serviceKeyOf(b.match) &&
    a.scheduler === b.scheduler &&
    a.schedulerFlags === b.schedulerFlags &&
    a.onePacket === b.onePacket &&
    a.persistenceEngine === b.persistenceEngine &&
    a.persistence?.timeoutSeconds === b.persistence?.timeoutSeconds &&
    a.persistence?.prefixLength === b.persistence?.prefixLength
  );
}

/** As `sameService`, for a destination. */
export function sameDestination(a: KernelDestination, b: KernelDestination): boolean {
  if (a === b) return true;
  return (
    a.address === b.address &&
    a.port === b.port &&
    a.weight === b.weight &&
    a.upperThreshold === b.upperThreshold &&
    a.lowerThreshold === b.lowerThreshold &&
    sameForwarding(a.forwarding, b.forwarding)
  );
}

function sameForwarding(a: Forwarding, b: Forwarding): boolean {
  if (a.method !== 'tunnel' || b.method !== 'tunnel') return a.method === b.method;
  return a.type === b.type && a.port === b.port && a.checksum === b.checksum;
}
