import { ByteWriter } from '../core/bytes.ts';
import { addressBytes, type IpAddress } from '../model/address.ts';
import { AS_TRANS, AsPathSegment, AttributeFlag, AttributeType } from './constants.ts';
import type { AttributeSet } from './route-table.ts';

/** What a session adds to the attributes of a route. */
export interface SessionAttributes {
  readonly asn: number;
  readonly ebgp: boolean;
  readonly fourOctetAs: boolean;
}

const ORIGIN_IGP = 0;
/** What most routers assume (RFC 4271 section 5.1.5 leaves it to policy). */
const DEFAULT_LOCAL_PREF = 100;

const WELL_KNOWN = AttributeFlag.transitive;
const OPTIONAL_TRANSITIVE = AttributeFlag.optional | AttributeFlag.transitive;

/**
 * The path attributes of an announcement in ascending order of type (RFC 4271 section 5), without MP_REACH_NLRI,
 * which goes before all of them (RFC 7606 section 5.1).
 * @param nextHop for NEXT_HOP; null where MP_REACH_NLRI carries it
 */
export function encodeAttributes(
  route: AttributeSet,
  session: SessionAttributes,
  nextHop: IpAddress | null,
): Uint8Array {
  const w = new ByteWriter(128);
  const path = session.ebgp ? new Array<number>(1 + route.prepend).fill(session.asn) : [];
  attribute(w, WELL_KNOWN, AttributeType.origin, Uint8Array.of(ORIGIN_IGP));
  attribute(w, WELL_KNOWN, AttributeType.asPath, asPath(path, session.fourOctetAs));
  if (nextHop !== null) attribute(w, WELL_KNOWN, AttributeType.nextHop, addressBytes(nextHop));
  if (route.med !== null) attribute(w, AttributeFlag.optional, AttributeType.multiExitDisc, u32s([route.med]));
  if (!session.ebgp) {
    attribute(w, WELL_KNOWN, AttributeType.localPref, u32s([route.localPref ?? DEFAULT_LOCAL_PREF]));
  }
  if (route.communities.length > 0) {
    attribute(w, OPTIONAL_TRANSITIVE, AttributeType.communities, u32s(route.communities));
  }
  // RFC 6793 section 4.2.2: to an old speaker the true path travels beside the one with AS_TRANS.
  if (!session.fourOctetAs && session.asn > 0xffff && path.length > 0) {
    attribute(w, OPTIONAL_TRANSITIVE, AttributeType.as4Path, asPath(path, true));
  }
  if (route.largeCommunities.length > 0) {
    attribute(w, OPTIONAL_TRANSITIVE, AttributeType.largeCommunities, u32s(route.largeCommunities.flat()));
  }
  return w.finish();
}

/** Flags (1), type (1), length (1, or 2 with the extended length flag), value: RFC 4271 section 4.3. */
export function attribute(w: ByteWriter, flags: number, type: number, value: Uint8Array): void {
  if (value.length > 0xff)
    w.u8(flags | AttributeFlag.extendedLength)
      .u8(type)
      .u16be(value.length);
  else w.u8(flags).u8(type).u8(value.length);
  w.bytes(value);
}

/** One AS_SEQUENCE: type (1), count (1), AS numbers. An empty path has no segment at all. */
function asPath(path: readonly number[], fourOctetAs: boolean): Uint8Array {
  const w = new ByteWriter(16);
  if (path.length === 0) return w.finish();
  w.u8(AsPathSegment.sequence).u8(path.length);
  for (const asn of path) {
    if (fourOctetAs) w.u32be(asn);
    else w.u16be(asn > 0xffff ? AS_TRANS : asn);
  }
  return w.finish();
}

function u32s(values: readonly number[]): Uint8Array {
  const w = new ByteWriter(values.length * 4);
  for (const value of values) w.u32be(value);
  return w.finish();
}
