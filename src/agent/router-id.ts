import { networkInterfaces } from 'node:os';
import type { IpAddress } from '../model/address.ts';
import { compareAddresses, parseAddress } from '../model/address.ts';

/**
 * What a router takes for its BGP Identifier when none is set: the lowest global IPv4 address of the host that is not
 * on the loopback interface, where VIPs live. A host address (/32) on another interface may be a VIP as well, which
 * comes and goes; it is taken only where there is nothing else, as with the point-to-point addresses of some clouds.
 */
export function automaticRouterId(interfaces = networkInterfaces()): IpAddress | null {
  const candidates = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ family, internal, address }) => family === 'IPv4' && !internal && !LINK_LOCAL.test(address));
  const inNetworks = candidates.filter(({ netmask }) => netmask !== HOST_NETMASK);
  const addresses = (inNetworks.length > 0 ? inNetworks : candidates)
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined)
    .sort(compareAddresses);
  return addresses[0] ?? null;
}

const HOST_NETMASK = '255.255.255.255';
/** RFC 3927. */
const LINK_LOCAL = /^169\.254\./;
