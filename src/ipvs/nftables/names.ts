import { familyOf, parseAddress } from '../../model/address.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import type { Protocol, ServiceMatch } from '../dataplane.ts';

/*
 * The names of what we keep in nf_tables. They carry the keys of services and reals, so that a listing says what each
 * chain is for. Identifiers of nft(8) may have letters, digits, "/", "\", "-", "_" and "."; an IPv6 address gets "_"
 * for each ":". With the longest addresses a name has 110 characters; the kernel allows 255 (NFT_NAME_MAXLEN).
 */

/** Everything is in this table: what is outside is not ours, what is inside is. */
export const TABLE_NAME = 'vipkeeper';
export const TABLE = `inet ${TABLE_NAME}`;

export const SERVICE_PREFIX = 'svc/';
export const REAL_PREFIX = 'real/';
/** Sets of the clients that stay with a real. */
export const KEPT_PREFIX = 'kept/';

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** `svc/tcp/192.0.2.1/80` or `svc/fwmark/ipv4/7`. */
export function serviceName(match: ServiceMatch): string {
  return SERVICE_PREFIX + matchPart(match);
}

/** `real/tcp/192.0.2.1/80/10.0.0.1/8080`. */
export function realName(match: ServiceMatch, real: Endpoint): string {
  return `${REAL_PREFIX}${matchPart(match)}/${endpointPart(real)}`;
}

/** The set is made for one timeout and mask: neither can be changed in place, so they are part of its name. */
export function keptName(
  match: ServiceMatch,
  real: Endpoint,
  persistence: { readonly timeoutSeconds: number; readonly prefixLength: number },
): string {
  const { timeoutSeconds, prefixLength } = persistence;
  return `${KEPT_PREFIX}${matchPart(match)}/${endpointPart(real)}/${timeoutSeconds}-${prefixLength}`;
}

/** @returns null for a name that is not one of ours */
export function parseServiceName(name: string): ServiceMatch | null {
  if (!name.startsWith(SERVICE_PREFIX)) return null;
  const match = parseMatch(name.slice(SERVICE_PREFIX.length).split('/'));
  return match !== null && serviceName(match) === name ? match : null;
}

/** @returns null for a name that is not one of ours */
export function parseRealName(name: string): { readonly match: ServiceMatch; readonly real: Endpoint } | null {
  if (!name.startsWith(REAL_PREFIX)) return null;
  const words = name.slice(REAL_PREFIX.length).split('/');
  const match = parseMatch(words.slice(0, 3));
  const real = parseEndpoint(words.slice(3));
  return match !== null && real !== null && realName(match, real) === name ? { match, real } : null;
}

function matchPart(match: ServiceMatch): string {
  if (match.kind === 'fwmark') return `fwmark/${match.family}/${match.fwmark}`;
  return `${match.protocol}/${endpointPart(match)}`;
}

function endpointPart({ address, port }: Endpoint): string {
  return `${address.replaceAll(':', '_')}/${port}`;
}

function parseMatch(words: readonly string[]): ServiceMatch | null {
  const [kind = '', ...rest] = words;
  if (kind === 'fwmark') {
    const [family, mark] = rest;
    return isFamily(family) ? { kind: 'fwmark', family, fwmark: Number(mark) } : null;
  }
  const endpoint = isProtocol(kind) ? parseEndpoint(rest) : null;
  if (!isProtocol(kind) || endpoint === null) return null;
  return { kind: 'address', family: familyOf(endpoint.address), protocol: kind, ...endpoint };
}

function parseEndpoint(words: readonly string[]): Endpoint | null {
  const [text = '', port] = words;
  const address = parseAddress(text.replaceAll('_', ':'));
  return address === undefined ? null : { address, port: Number(port) };
}

function isFamily(word: string | undefined): word is Family {
  return word === 'ipv4' || word === 'ipv6';
}

function isProtocol(word: string): word is Protocol {
  return word === 'tcp' || word === 'udp' || word === 'sctp';
}
