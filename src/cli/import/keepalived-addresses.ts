import ipaddr from 'ipaddr.js';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { IpAddress } from '../../model/address.ts';
import { parseAddress } from '../../model/address.ts';

/** A VIP of a group may stand for this many. */
const MAX_RANGE = 256;
const IPV4_RANGE = /^(.*\.)([0-9]{1,3})-([0-9]{1,3})$/;
const IPV6_RANGE = /^(.*:)([0-9A-Fa-f]{1,4})-([0-9A-Fa-f]{1,4})$/;

/**
 * Addresses as virtual_server_group writes them: "192.0.2.1", "192.0.2.1-20" (the last part counts up, in hexadecimal
 * for IPv6), "192.0.2.0/28".
 */
export function addressesOf(text: string): Result<readonly IpAddress[], string> {
  const range = (text.includes(':') ? IPV6_RANGE : IPV4_RANGE).exec(text);
  if (range !== null) return rangeOf(range[1] ?? '', range[2] ?? '', range[3] ?? '');
  const slash = text.indexOf('/');
  if (slash >= 0) return networkOf(text);
  const address = parseAddress(text);
  return address === undefined ? err(`"${text}" is not an address`) : ok([address]);
}

function rangeOf(prefix: string, first: string, last: string): Result<readonly IpAddress[], string> {
  const radix = prefix.includes(':') ? 16 : 10;
  const [from, to] = [Number.parseInt(first, radix), Number.parseInt(last, radix)];
  if (to < from || to - from >= MAX_RANGE) return err(`"${first}-${last}" is no range of 1 to ${MAX_RANGE} addresses`);
  const addresses: IpAddress[] = [];
  for (let part = from; part <= to; part++) {
    const address = parseAddress(`${prefix}${part.toString(radix)}`);
    if (address === undefined) return err(`"${prefix}${part.toString(radix)}" is not an address`);
    addresses.push(address);
  }
  return ok(addresses);
}

/** Every address of the network, as keepalived takes it. */
function networkOf(text: string): Result<readonly IpAddress[], string> {
  try {
    const [network, length] = ipaddr.parseCIDR(text);
    const bytes = network.toByteArray();
    const bits = bytes.length * 8 - length;
    if (2 ** bits > MAX_RANGE) return err(`"${text}" has more than ${MAX_RANGE} addresses`);
    const last = bytes.length - 1;
    const base = (bytes[last] ?? 0) & ~(2 ** bits - 1);
    const addresses = Array.from({ length: 2 ** bits }, (_, offset) => {
      const parts = [...bytes.slice(0, last), base + offset];
      return parseAddress(ipaddr.fromByteArray(parts).toString());
    });
    return ok(addresses.filter((address) => address !== undefined));
  } catch {
    return err(`"${text}" is not a network`);
  }
}

/** "255.255.255.0" is 24; IPv6 granularity is a prefix length already. undefined = neither. */
export function maskLength(text: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) return Number(text);
  if (parseAddress(text) === undefined) return undefined;
  const length = ipaddr.parse(text).prefixLengthFromSubnetMask();
  return length ?? undefined;
}
