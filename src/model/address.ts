import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Family = 'ipv4' | 'ipv6';

/** An IP address in canonical text: dotted quad, or RFC 5952 for IPv6. Equal addresses are equal strings. */
export type IpAddress = string & { readonly __brand: 'IpAddress' };

/**
 * Parses an address strictly: no leading zeros, no shortened IPv4, no zone id, no IPv4-mapped IPv6 (the kernel would
 * take it for another family than the operator meant).
 * @returns the canonical form, or undefined
 */
export function parseAddress(text: string): IpAddress | undefined {
  const version = isIP(text);
  if (version === 0 || text.includes('%')) return undefined;
  // What Node takes for IPv4 is a dotted quad without leading zeros: canonical as it stands.
  if (version === 4) return text as IpAddress;
  const parsed = ipaddr.parse(text);
  if (parsed instanceof ipaddr.IPv6) {
    if (parsed.isIPv4MappedAddress()) return undefined;
    return parsed.toRFC5952String() as IpAddress;
  }
  return parsed.toString() as IpAddress;
}

/**
 * The canonical form of an address that a schema has accepted.
 * @throws RangeError for any other text
 */
export function canonicalAddress(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`not an address: ${text}`);
  return address;
}

export function familyOf(address: IpAddress): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/**
 * Whether packets can be sent to it as to one host: not unspecified, "this network", multicast, reserved or IPv6
 * link-local. The kernel refuses any other as a real (ip_vs_new_dest in net/netfilter/ipvs/ip_vs_ctl.c).
 */
export function isHostAddress(address: IpAddress): boolean {
  if (familyOf(address) === 'ipv4') {
    const first = Number(address.slice(0, address.indexOf('.')));
    return first > 0 && first < 224;
  }
  const group = Number.parseInt(address.slice(0, address.indexOf(':')) || '0', 16);
  return address !== '::' && (group & 0xff00) !== 0xff00 && (group & 0xffc0) !== 0xfe80;
}

/** Whether `address` lies in the network that `member` is in with this prefix length. */
export function isInNetwork(member: IpAddress, prefixLength: number, address: IpAddress): boolean {
  if (familyOf(member) !== familyOf(address)) return false;
  const [left, right] = [addressBytes(member), addressBytes(address)];
  return left.every((byte, at) => {
    const bits = Math.min(Math.max(prefixLength - at * 8, 0), 8);
    return (byte ^ (right[at] ?? 0)) >> (8 - bits) === 0;
  });
}

/** 4 or 16 bytes in network order; at least `length` of them, with zeros behind. */
export function addressBytes(address: IpAddress, length = 0): Uint8Array {
  if (address.includes(':')) return Uint8Array.from(ipaddr.parse(address).toByteArray());
  return quadBytes(address, Math.max(4, length));
}

const DOT = 46;
const ZERO = 48;

/** Plans of 10,000 reals come through here, and a dotted quad in canonical form needs no parser. */
function quadBytes(quad: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  let value = 0;
  for (let index = 0; index < quad.length; index++) {
    const code = quad.charCodeAt(index);
    if (code === DOT) {
      bytes[at++] = value;
      value = 0;
    } else {
      value = value * 10 + code - ZERO;
    }
  }
  bytes[at] = value;
  return bytes;
}

/** @throws RangeError unless 4 or 16 bytes are given */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  return new ipaddr.IPv6(Array.from(bytes)).toRFC5952String() as IpAddress;
}

/** Orders by family, then numerically: the order in which lists are shown and ties are broken. */
export function compareAddresses(a: IpAddress, b: IpAddress): number {
  const left = addressBytes(a);
  const right = addressBytes(b);
  if (left.length !== right.length) return left.length - right.length;
  return Buffer.compare(left, right);
}

/** "10.0.0.1:80" or "[2001:db8::1]:80". In one piece, as `joinedKey` makes its keys: each real keeps one. */
export function formatEndpoint(address: IpAddress, port: number): string {
  return [familyOf(address) === 'ipv6' ? `[${address}]` : address, port].join(':');
}
