import type { DataplaneOp, ServiceKey } from '../../ipvs/dataplane.ts';
import { deletedServices, isMarkKey, serviceKeyOf } from '../../ipvs/dataplane.ts';
import type { PacketMark } from '../../ipvs/packet-marks.ts';
import { familyOf } from '../../model/address.ts';
import type { Desired } from './desired-state.ts';
import { named } from './desired-state.ts';
import type { Effective } from './effective-state.ts';
import type { Journal } from './journal.ts';

/** The packets to mark for services that ask for it: those to the addresses of their VIP. */
export function packetMarks(desired: Desired): PacketMark[] {
  return Object.values(desired.services).flatMap(({ match, vip, state }) => {
    if (match.kind !== 'fwmark' || match.mark === undefined || state === 'disabled') return [];
    const { fwmark, families, mark } = match;
    const addresses = (named(desired.vips, vip)?.addresses ?? []).filter((each) => families.includes(familyOf(each)));
    // Port 0 stands for every port.
    const ports = mark.ports[0]?.first === 0 ? [] : mark.ports;
    return addresses.flatMap((address) => mark.protocols.map((protocol) => ({ fwmark, address, protocol, ports })));
  });
}

/**
 * What a service by mark has asked for at an address that it has left, and that stays for its connections there: until
 * every router knows that the route is withdrawn, new ones arrive. Not where another service is by now, since the
 * kernel looks for a mark before it looks for an address.
 */
export function marksLeftBehind({ kernel, marks }: Effective, { addresses }: Journal): PacketMark[] {
  const left = leftBehind(addresses);
  if (left.length === 0) return [];
  const taken = new Set<string>(marks.map(({ address }) => address));
  for (const { kernel: service } of kernel.values()) {
    if (service.match.kind === 'address') taken.add(service.match.address);
  }
  return left.flatMap(({ key, address }) => {
    if (taken.has(address)) return [];
    const wanted = marks.filter((each) => keyOf(each) === key).map((each) => ({ ...each, address }));
    // Alike for each address of the VIP.
    return [...new Map(wanted.map((each) => [each.protocol, each])).values()];
  });
}

/**
 * Kernel services by mark that nothing wants, but that serve their last connections, for which somebody may route
 * packets by their mark. Not those whose record goes on otherwise: it takes its packets along.
 * @param ops operations on services in the same pass
 */
export function leavingMarks(
  { kernel, services: records }: Effective,
  { services }: Journal,
  ops: readonly DataplaneOp[],
): Set<ServiceKey> {
  const deleted = deletedServices(ops);
  const keys = byMark(services).filter((key) => {
    if (kernel.has(key) || deleted.has(key)) return false;
    const record = records.get(named(services, key)?.service ?? '');
    return record === undefined || record.kernelKeys.length === 0;
  });
  return new Set(keys.sort());
}

/** Parts of a journal are the very same objects in every quiet pass: they are looked through once. */
function lookedThroughOnce<Part extends object, Found>(find: (part: Part) => Found): (part: Part) => Found {
  const known = new WeakMap<Part, Found>();
  return (part) => {
    const found = known.get(part) ?? find(part);
    known.set(part, found);
    return found;
  };
}

/** Marks and the addresses that they have left. */
const leftBehind = lookedThroughOnce((addresses: Journal['addresses']) =>
  Object.values(addresses).flatMap(({ address, marks: uses = {} }) =>
    Object.entries(uses).flatMap(([key, movedAt]) => (movedAt === null ? [] : [{ key, address }])),
  ),
);

/** Kernel services by mark. */
const byMark = lookedThroughOnce((services: Journal['services']) =>
  (Object.keys(services) as ServiceKey[]).filter(isMarkKey),
);

function keyOf({ fwmark, address }: PacketMark): ServiceKey {
  return serviceKeyOf({ kind: 'fwmark', family: familyOf(address), fwmark });
}
