import type { PacketMark } from '../../ipvs/packet-marks.ts';
import { familyOf } from '../../model/address.ts';
import type { Desired } from './desired-state.ts';
import { named } from './desired-state.ts';

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
