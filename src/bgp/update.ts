import { ByteWriter } from '../core/bytes.ts';
import { addressBytes, type Family, type IpAddress } from '../model/address.ts';
import { Afi, AttributeFlag, AttributeType, MAX_MESSAGE_LENGTH, MessageType, SAFI_UNICAST } from './constants.ts';
import { addressLength } from './family.ts';
import { attribute, encodeAttributes, type SessionAttributes } from './path-attributes.ts';
import { frame } from './notification.ts';
import type { AttributeSet } from './route-table.ts';

/*
 * UPDATE, RFC 4271 section 4.3:
 *   withdrawn routes length (2), withdrawn routes, total path attribute length (2), path attributes, NLRI (rest)
 * IPv4 uses these fields, as every router understands them; IPv6 travels in MP_REACH_NLRI and MP_UNREACH_NLRI
 * (RFC 4760). Of withdrawn routes, NLRI, MP_REACH_NLRI and MP_UNREACH_NLRI a message holds exactly one
 * (RFC 7606 section 5.1), so a prefix is never withdrawn and announced by the same message.
 */

const FIXED_LENGTH = 19 + 2 + 2;
/** Flags, type, extended length. */
const ATTRIBUTE_HEADER = 4;

/** Turns prefixes that share their attributes into as few messages as they fit in. */
export interface Packing {
  /** How many prefixes one message takes. */
  readonly perMessage: number;
  pack(prefixes: readonly Uint8Array[]): Uint8Array;
}

export function announcing(
  family: Family,
  route: AttributeSet,
  session: SessionAttributes,
  nextHop: IpAddress,
): Packing {
  if (family === 'ipv4') {
    const attributes = encodeAttributes(route, session, nextHop);
    return {
      perMessage: capacity(family, attributes.length),
      pack: (prefixes) => update([], attributes, prefixes),
    };
  }
  const attributes = encodeAttributes(route, session, null);
  const head = mpReachHead(family, nextHop);
  return {
    perMessage: capacity(family, attributes.length + ATTRIBUTE_HEADER + head.length),
    pack: (prefixes) => update([], multiprotocol(AttributeType.mpReach, head, prefixes, attributes), []),
  };
}

export function withdrawing(family: Family): Packing {
  if (family === 'ipv4') {
    return { perMessage: capacity(family, 0), pack: (prefixes) => update(prefixes, new Uint8Array(0), []) };
  }
  const head = mpUnreachHead(family);
  return {
    perMessage: capacity(family, ATTRIBUTE_HEADER + head.length),
    pack: (prefixes) => update([], multiprotocol(AttributeType.mpUnreach, head, prefixes, new Uint8Array(0)), []),
  };
}

/** RFC 4724 section 2: an empty UPDATE for IPv4 unicast, an empty MP_UNREACH_NLRI for anything else. */
export function encodeEndOfRib(family: Family): Uint8Array {
  return withdrawing(family).pack([]);
}

function capacity(family: Family, overhead: number): number {
  return Math.floor((MAX_MESSAGE_LENGTH - FIXED_LENGTH - overhead) / (1 + addressLength(family)));
}

function update(
  withdrawn: readonly Uint8Array[],
  attributes: Uint8Array,
  announced: readonly Uint8Array[],
): Uint8Array {
  const withdrawnLength = totalLength(withdrawn);
  const w = new ByteWriter(4 + withdrawnLength + attributes.length + totalLength(announced));
  w.u16be(withdrawnLength);
  for (const prefix of withdrawn) w.bytes(prefix);
  w.u16be(attributes.length).bytes(attributes);
  for (const prefix of announced) w.bytes(prefix);
  return frame(MessageType.update, w.finish());
}

function multiprotocol(
  type: number,
  head: Uint8Array,
  prefixes: readonly Uint8Array[],
  others: Uint8Array,
): Uint8Array {
  const value = new ByteWriter(head.length + totalLength(prefixes)).bytes(head);
  for (const prefix of prefixes) value.bytes(prefix);
  const w = new ByteWriter(ATTRIBUTE_HEADER + value.length + others.length);
  attribute(w, AttributeFlag.optional, type, value.finish());
  return w.bytes(others).finish();
}

/** AFI (2), SAFI (1), next hop length (1), next hop, reserved (1): RFC 4760 section 3. */
function mpReachHead(family: Family, nextHop: IpAddress): Uint8Array {
  const bytes = addressBytes(nextHop);
  return new ByteWriter(32).u16be(Afi[family]).u8(SAFI_UNICAST).u8(bytes.length).bytes(bytes).u8(0).finish();
}

/** AFI (2), SAFI (1): RFC 4760 section 4. */
function mpUnreachHead(family: Family): Uint8Array {
  return new ByteWriter(4).u16be(Afi[family]).u8(SAFI_UNICAST).finish();
}

function totalLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
