import { networkInterfaces } from 'node:os';
import type { IpAddress } from '../model/address.ts';
import { compareAddresses, parseAddress } from '../model/address.ts';

/**
 * What a router takes for its BGP Identifier when none is set: the lowest IPv4 address of the host that is not a
 * loopback address and not on the loopback interface, where VIPs live.
 */
export function automaticRouterId(interfaces = networkInterfaces()): IpAddress | null {
  const addresses = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined)
    .sort(compareAddresses);
  return addresses[0] ?? null;
}
