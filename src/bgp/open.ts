import { ByteReader, ByteWriter, DecodeError } from '../core/bytes.ts';
import { err, ok, type Result } from '../core/result.ts';
import { type Family, type IpAddress, addressBytes, addressFromBytes } from '../model/address.ts';
import {
  CapabilityReader,
  encodeCapabilities,
  encodeMultiprotocol,
  type LocalCapabilities,
  type PeerCapabilities,
} from './capabilities.ts';
import {
  AS_TRANS,
  BGP_VERSION,
  ErrorCode,
  EXTENDED_PARAMETERS,
  MessageType,
  MIN_HOLD_TIME_S,
  OpenError,
  OPTIONAL_PARAMETER_CAPABILITIES,
} from './constants.ts';
import { FAMILIES } from './family.ts';
import { type BgpError, frame, resetError } from './notification.ts';

export interface LocalOpen extends LocalCapabilities {
  readonly holdTimeS: number;
  readonly routerId: IpAddress;
}

/** What the two OPENs agree on. */
export interface Negotiated {
  readonly peerRouterId: IpAddress;
  /** Zero = neither side sends KEEPALIVEs (RFC 4271 section 4.2). */
  readonly holdTimeS: number;
  /** Both understand four-octet AS numbers in AS_PATH (RFC 6793). */
  readonly fourOctetAs: boolean;
  readonly families: readonly Family[];
  /** The peer marks the borders of a refresh, and so must we (RFC 7313). */
  readonly enhancedRouteRefresh: boolean;
  /** Both offered graceful restart, so that closing without NOTIFICATION keeps our routes at the peer. */
  readonly gracefulRestart: boolean;
}

/** RFC 4271 section 4.2: version, AS, hold time, identifier, parameters length; then one parameter of capabilities. */
export function encodeOpen(local: LocalOpen): Uint8Array {
  const capabilities = encodeCapabilities(local);
  const w = new ByteWriter(96);
  w.u8(BGP_VERSION)
    .u16be(local.asn > 0xffff ? AS_TRANS : local.asn)
    .u16be(local.holdTimeS)
    .bytes(addressBytes(local.routerId));
  w.u8(2 + capabilities.length);
  w.u8(OPTIONAL_PARAMETER_CAPABILITIES).u8(capabilities.length).bytes(capabilities);
  return frame(MessageType.open, w.finish());
}

/** Judges a peer's OPEN (RFC 4271 section 6.2) against ours and the AS that was configured for it. */
export function decodeOpen(body: Uint8Array, local: LocalOpen, peerAsn: number): Result<Negotiated, BgpError> {
  const version = body[0] ?? 0;
  if (version !== BGP_VERSION) {
    const data = Uint8Array.of(0, BGP_VERSION);
    return refuse(OpenError.unsupportedVersion, `version ${version}`, data);
  }
  const r = new ByteReader(body, 1);
  const shortAsn = r.u16be();
  const holdTimeS = r.u16be();
  const peerRouterId = addressFromBytes(r.bytes(4));
  const parsed = decodeParameters(body);
  if (!parsed.ok) return parsed;
  const capabilities = parsed.value;
  const asn = capabilities.fourOctetAs ?? shortAsn;
  // RFC 7607 section 2 forbids AS 0; AS_TRANS alone never names an AS (RFC 6793 section 9).
  if (asn !== peerAsn || asn === 0 || asn === AS_TRANS) {
    return refuse(OpenError.badPeerAs, `the peer says AS ${asn}, AS ${peerAsn} is configured`);
  }
  // RFC 6286 section 2.1: non-zero, and unlike ours within one AS.
  if (peerRouterId === '0.0.0.0' || (asn === local.asn && peerRouterId === local.routerId)) {
    return refuse(OpenError.badBgpIdentifier, `BGP identifier ${peerRouterId}`);
  }
  if (holdTimeS !== 0 && holdTimeS < MIN_HOLD_TIME_S) {
    return refuse(OpenError.unacceptableHoldTime, `hold time ${holdTimeS} s`);
  }
  const families = capabilities.families ?? ['ipv4' as const];
  if (families.length === 0) {
    // RFC 5492 section 5: the data lists what we miss.
    return refuse(OpenError.unsupportedCapability, 'the peer offers no family that we have', encodeMultiprotocol());
  }
  return ok({
    peerRouterId,
    holdTimeS: Math.min(holdTimeS, local.holdTimeS),
    fourOctetAs: capabilities.fourOctetAs !== null,
    families: FAMILIES.filter((family) => families.includes(family)),
    enhancedRouteRefresh: capabilities.enhancedRouteRefresh,
    gracefulRestart: capabilities.gracefulRestart !== null && local.gracefulRestart !== null,
  });
}

function refuse(subcode: number, text: string, data?: Uint8Array): { readonly ok: false; readonly error: BgpError } {
  return err(resetError(ErrorCode.openMessage, subcode, text, data));
}

/** Where the optional parameters start: after version, AS, hold time and identifier. */
const PARAMETERS_OFFSET = 9;

/**
 * Optional parameters: length (1), then type (1), length (1), value for each. RFC 9072 section 2: when the first type
 * is 255, what follows it is the true length (2), and each parameter has a two-octet length.
 */
function decodeParameters(body: Uint8Array): Result<PeerCapabilities, BgpError> {
  const found = new CapabilityReader();
  try {
    const r = new ByteReader(body, PARAMETERS_OFFSET);
    const shortLength = r.u8();
    const extended = shortLength !== 0 && body[PARAMETERS_OFFSET + 1] === EXTENDED_PARAMETERS;
    if (extended) r.skip(1);
    const list = r.fenced(extended ? r.u16be() : shortLength);
    r.expectEnd('the OPEN');
    while (list.remaining > 0) {
      const type = list.u8();
      const value = list.fenced(extended ? list.u16be() : list.u8());
      if (type !== OPTIONAL_PARAMETER_CAPABILITIES) {
        return refuse(OpenError.unsupportedOptionalParameter, `optional parameter ${type}`);
      }
      found.read(value);
    }
    return ok(found.finish());
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refuse(OpenError.unspecific, error.message);
  }
}
