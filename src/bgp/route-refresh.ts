import { ByteReader, ByteWriter } from '../core/bytes.ts';
import { err, ok, type Result } from '../core/result.ts';
import type { Family } from '../model/address.ts';
import { Afi, ErrorCode, HEADER_LENGTH, HeaderError, MessageType, RefreshSubtype, SAFI_UNICAST } from './constants.ts';
import { familyOfAfi } from './family.ts';
import { type BgpError, frame, resetError } from './notification.ts';

/** AFI (2), subtype (1; reserved in RFC 2918), SAFI (1): RFC 7313 section 3.2. */
const BODY_LENGTH = 4;
/** RFC 7313 section 5 */
const INVALID_MESSAGE_LENGTH = 1;

export interface RouteRefresh {
  /** undefined = a family that is not ours, whose refresh is ignored (RFC 2918 section 4). */
  readonly family: Family | undefined;
  /** RefreshSubtype, or a number to be ignored (RFC 7313 section 5). */
  readonly subtype: number;
}

/** @param enhanced RFC 7313 was negotiated, which names an error of its own for a wrong length */
export function decodeRouteRefresh(body: Uint8Array, enhanced: boolean): Result<RouteRefresh, BgpError> {
  if (body.length !== BODY_LENGTH) {
    const text = `ROUTE-REFRESH with length ${HEADER_LENGTH + body.length}`;
    if (enhanced) {
      const whole = frame(MessageType.routeRefresh, body);
      return err(resetError(ErrorCode.routeRefresh, INVALID_MESSAGE_LENGTH, text, whole));
    }
    const length = new ByteWriter(2).u16be(HEADER_LENGTH + body.length).finish();
    return err(resetError(ErrorCode.messageHeader, HeaderError.badMessageLength, text, length));
  }
  const r = new ByteReader(body);
  const afi = r.u16be();
  const subtype = r.u8();
  return ok({ family: familyOfAfi(afi, r.u8()), subtype });
}

/** BoRR and EoRR, the marks around a repeated table: RFC 7313 section 4.2. */
export function encodeRefreshMark(family: Family, mark: 'beginning' | 'end'): Uint8Array {
  const body = new ByteWriter(BODY_LENGTH).u16be(Afi[family]).u8(RefreshSubtype[mark]).u8(SAFI_UNICAST).finish();
  return frame(MessageType.routeRefresh, body);
}
