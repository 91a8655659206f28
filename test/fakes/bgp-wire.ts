/*
 * Messages put together by hand, good and bad, with nothing of src/bgp in it: what these say is on the wire is what
 * the tests hold the codecs to. Everything is hex text.
 */

const MARKER = 'f'.repeat(32);

export function u8(value: number): string {
  return value.toString(16).padStart(2, '0');
}

export function u16(value: number): string {
  return value.toString(16).padStart(4, '0');
}

export function u32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** `length` overrides the true one. */
export function message(type: number, body = '', length = 19 + body.length / 2): string {
  return `${MARKER}${u16(length)}${u8(type)}${body}`;
}

export const KEEPALIVE_HEX = message(4);

export interface OpenFields {
  readonly version?: number;
  readonly asn?: number;
  readonly holdTimeS?: number;
  readonly routerId?: string;
  /** Optional parameters, already encoded; their length is put before them. */
  readonly parameters?: string;
}

/** An OPEN of AS 65000 with hold time 9 s and identifier 10.0.0.1. */
export function open(fields: OpenFields = {}): string {
  const { version = 4, asn = 65000, holdTimeS = 9, routerId = '0a000001', parameters = PARAMETERS } = fields;
  return message(1, `${u8(version)}${u16(asn)}${u16(holdTimeS)}${routerId}${u8(parameters.length / 2)}${parameters}`);
}

export function parameter(type: number, value: string): string {
  return `${u8(type)}${u8(value.length / 2)}${value}`;
}

export function capability(code: number, value = ''): string {
  return `${u8(code)}${u8(value.length / 2)}${value}`;
}

export const MP_IPV4 = capability(1, '00010001');
export const MP_IPV6 = capability(1, '00020001');
export const ROUTE_REFRESH = capability(2);
export const FOUR_OCTET_AS = capability(65, u32(65000));
export const ENHANCED_REFRESH = capability(70);
/** Restart time 120 s, no family kept for the sender: the helper's offer. */
export const GRACEFUL_HELPER = capability(64, '0078');

/** What a complete router offers. */
export const PARAMETERS = parameter(
  2,
  [MP_IPV4, MP_IPV6, ROUTE_REFRESH, FOUR_OCTET_AS, ENHANCED_REFRESH, GRACEFUL_HELPER].join(''),
);

export function attribute(flags: number, type: number, value: string, length = value.length / 2): string {
  const extended = (flags & 0x10) !== 0;
  return `${u8(flags)}${u8(type)}${extended ? u16(length) : u8(length)}${value}`;
}

export const ORIGIN = attribute(0x40, 1, '00');
export const AS_PATH = attribute(0x40, 2, `0201${u32(65000)}`);
export const NEXT_HOP = attribute(0x40, 3, 'c6336401');
export const GOOD_ATTRIBUTES = ORIGIN + AS_PATH + NEXT_HOP;
/** 203.0.113.1/32 */
export const PREFIX = '20cb007101';

export interface UpdateFields {
  readonly withdrawn?: string;
  readonly withdrawnLength?: number;
  readonly attributes?: string;
  readonly attributesLength?: number;
  readonly nlri?: string;
}

export function update(fields: UpdateFields = {}): string {
  const { withdrawn = '', attributes = GOOD_ATTRIBUTES, nlri = PREFIX } = fields;
  const { withdrawnLength = withdrawn.length / 2, attributesLength = attributes.length / 2 } = fields;
  return message(2, `${u16(withdrawnLength)}${withdrawn}${u16(attributesLength)}${attributes}${nlri}`);
}

/** MP_REACH_NLRI for IPv6 with a global next hop. */
export function mpReach(nlri: string, nextHop = 'fd000005000000000000000000000001', afi = 2): string {
  return attribute(0x80, 14, `${u16(afi)}01${u8(nextHop.length / 2)}${nextHop}00${nlri}`);
}

export function mpUnreach(rest: string): string {
  return attribute(0x80, 15, rest);
}
