import type { Family } from '../model/address.ts';
import { Afi, SAFI_UNICAST } from './constants.ts';

/** The order in which families are offered, announced and closed with End-of-RIB. */
export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

/** The family of an AFI/SAFI pair, or undefined when it is not one of ours. */
export function familyOfAfi(afi: number, safi: number): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  return FAMILIES.find((family) => Afi[family] === afi);
}

export function familyName(family: Family): string {
  return family === 'ipv4' ? 'IPv4' : 'IPv6';
}

/** Octets of an address. */
export function addressLength(family: Family): number {
  return family === 'ipv4' ? 4 : 16;
}
