import { type ByteReader, DecodeError } from '../core/bytes.ts';
import { addressBytes, type Family, familyOf, type IpAddress } from '../model/address.ts';
import { addressLength } from './family.ts';

/** A host route as RFC 4271 section 4.3 writes it: length in bits (1), then the prefix. */
export function encodeHostPrefix(address: IpAddress): Uint8Array {
  if (familyOf(address) === 'ipv4') return ipv4HostPrefix(address);
  const bytes = addressBytes(address);
  const nlri = new Uint8Array(1 + bytes.length);
  nlri[0] = bytes.length * 8;
  nlri.set(bytes, 1);
  return nlri;
}

const DOT = 0x2e;
const ZERO = 0x30;

/** Canonical dotted quads are read by hand: a table of ten thousand is encoded while a session waits for it. */
function ipv4HostPrefix(address: IpAddress): Uint8Array {
  const nlri = new Uint8Array(5);
  nlri[0] = 32;
  let at = 1;
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      nlri[at++] = octet;
      octet = 0;
    } else octet = octet * 10 + code - ZERO;
  }
  nlri[at] = octet;
  return nlri;
}

/**
 * Counts the prefixes of an NLRI field; what they say is of no use to a speaker that installs nothing.
 * @throws DecodeError when a length is impossible for the family, or the last prefix is cut short
 */
export function countPrefixes(field: ByteReader, family: Family): number {
  const longest = addressLength(family) * 8;
  let count = 0;
  while (field.remaining > 0) {
    const bits = field.u8();
    if (bits > longest) throw new DecodeError(`prefix length ${bits}`, field.offset - 1);
    field.skip(Math.ceil(bits / 8));
    count++;
  }
  return count;
}
