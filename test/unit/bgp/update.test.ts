import { describe, expect, it } from 'vitest';
import type { SessionAttributes } from '../../../src/bgp/path-attributes.ts';
import type { Route } from '../../../src/bgp/port.ts';
import type { RouteEntry } from '../../../src/bgp/route-table.ts';
import { encodeRefreshMark } from '../../../src/bgp/route-refresh.ts';
import { announcing, encodeEndOfRib, withdrawing } from '../../../src/bgp/update.ts';
import type { Family } from '../../../src/model/address.ts';
import { address, route, WholeTable } from '../../fakes/bgp-settings.ts';
import { hexOf, ROUTE_REFRESH, UPDATE } from '../../vectors/bgp/captures.ts';

const EXTERNAL: SessionAttributes = { asn: 65001, ebgp: true, fourOctetAs: true };
const NEXT_HOP = { ipv4: address('198.51.100.2'), ipv6: address('fd00:5::2') };
// BIRD had put the later address first in IPv4, and the earlier one in IPv6.
const PREFIXES = { ipv4: ['203.0.113.2', '203.0.113.1'], ipv6: ['2001:db8::1', '2001:db8::2'] };
const LABELLED = { med: 50, communities: ['65001:100'], largeCommunities: ['65001:1:2'] };

function entries(family: Family, attributes: Partial<Route>, prefixes = PREFIXES[family]): RouteEntry[] {
  const table = new WholeTable();
  table.replace(prefixes.map((each) => route(each, attributes)));
  return [...table.values()];
}

function announce(
  family: Family,
  session: SessionAttributes,
  attributes: Partial<Route> = {},
  prefixes?: string[],
): string {
  const routes = entries(family, attributes, prefixes);
  const [first] = routes;
  if (first === undefined) throw new Error('no route');
  const packing = announcing(family, first.attributes, session, NEXT_HOP[family]);
  return hexOf(packing.pack(routes.map((each) => each.nlri)));
}

/** BIRD and FRR use the two-octet length for MP attributes of any size; ours is two octets only where it must be. */
function shortMpLength(hex: string): string {
  const octets = Buffer.from(hex, 'hex');
  const [flags, type, high] = octets.subarray(23);
  if (flags !== 0x90 || (type !== 14 && type !== 15) || high !== 0) throw new Error('not in the long form');
  const shorter = Buffer.concat([octets.subarray(0, 25), octets.subarray(26)]);
  shorter[23] = 0x80;
  shorter.writeUInt16BE(shorter.length, 16);
  shorter.writeUInt16BE(octets.readUInt16BE(21) - 1, 21);
  return shorter.toString('hex');
}

describe('announcements, octet for octet as BIRD sends them', () => {
  it('writes an IPv4 announcement', () => {
    expect(announce('ipv4', EXTERNAL)).toBe(UPDATE.birdPlain);
    expect(announce('ipv4', EXTERNAL, LABELLED)).toBe(UPDATE.birdIpv4);
  });

  it('writes an IPv6 announcement with MP_REACH_NLRI before the other attributes', () => {
    expect(announce('ipv6', EXTERNAL, LABELLED)).toBe(shortMpLength(UPDATE.birdIpv6));
  });

  it('writes MP_REACH_NLRI as GoBGP does', () => {
    const attribute = UPDATE.gobgpIpv6.slice(UPDATE.gobgpIpv6.indexOf('800e26'), UPDATE.gobgpIpv6.indexOf('c0200c'));
    expect(attribute).toHaveLength(2 * (3 + 0x26));
    expect(announce('ipv6', EXTERNAL, LABELLED, ['2001:db8::1'])).toContain(attribute);
  });

  it('prepends our AS', () => {
    const session = { ...EXTERNAL, asn: 4_200_000_001 };
    expect(announce('ipv4', session, { prepend: 2 })).toBe(UPDATE.birdPrepended);
  });

  it('writes two-octet AS numbers to an old speaker', () => {
    const session = { ...EXTERNAL, fourOctetAs: false };
    expect(announce('ipv4', session, LABELLED)).toBe(UPDATE.birdOldSpeaker);
  });

  it('writes AS_TRANS with AS4_PATH beside it for an AS that an old speaker cannot name', () => {
    const session = { asn: 4_200_000_001, ebgp: true, fourOctetAs: false };
    const attributes = { med: 7, communities: ['65000:666'], largeCommunities: ['4200000001:1:2'], prepend: 1 };
    expect(announce('ipv4', session, attributes)).toBe(UPDATE.birdAsTrans);
  });

  it('writes an empty AS_PATH and LOCAL_PREF to an internal peer', () => {
    const session = { ...EXTERNAL, ebgp: false };
    expect(announce('ipv4', session, { med: 5, localPref: 200 })).toBe(UPDATE.birdInternal);
    expect(announce('ipv6', session, { med: 5, localPref: 200 })).toBe(shortMpLength(UPDATE.birdInternalIpv6));
    // LOCAL_PREF 100 where none is given: only that value differs.
    const preference = announce('ipv4', session, { med: 5 });
    expect(preference).toBe(UPDATE.birdInternal.replace('400504000000c8', '40050400000064'));
    expect(announce('ipv4', session, { med: 5, prepend: 3 })).toBe(preference);
  });

  it('sorts communities and drops repeated ones', () => {
    const messy = {
      communities: ['65001:100', '1:2', 'no-export', '65001:100', 'graceful-shutdown', 'blackhole'],
      largeCommunities: ['65001:1:2', '1:9:9', '65001:1:2', '1:9:3'],
    };
    const hex = announce('ipv4', EXTERNAL, messy);
    expect(hex).toContain('c0081400010002fde90064ffff0000ffff029affffff01');
    expect(hex).toContain('c02024000000010000000900000003000000010000000900000009' + '0000fde90000000100000002');
  });
});

describe('withdrawals and marks, octet for octet', () => {
  const withdraw = (family: Family, prefixes = PREFIXES[family]): string => {
    const nlris = entries(family, {}, prefixes).map((each) => each.nlri);
    return hexOf(withdrawing(family).pack(nlris));
  };

  it('withdraws', () => {
    expect(withdraw('ipv4')).toBe(UPDATE.birdWithdrawIpv4);
    expect(withdraw('ipv4', ['203.0.113.1'])).toBe(UPDATE.frrWithdrawIpv4);
    expect(withdraw('ipv6')).toBe(shortMpLength(UPDATE.birdWithdrawIpv6));
  });

  it('ends the RIB', () => {
    expect(hexOf(encodeEndOfRib('ipv4'))).toBe(UPDATE.endOfRibIpv4);
    expect(hexOf(encodeEndOfRib('ipv6'))).toBe(UPDATE.endOfRibIpv6);
  });

  it('marks the borders of a refresh', () => {
    expect(hexOf(encodeRefreshMark('ipv4', 'beginning'))).toBe(ROUTE_REFRESH.birdBeginningIpv4);
    expect(hexOf(encodeRefreshMark('ipv4', 'end'))).toBe(ROUTE_REFRESH.birdEndIpv4);
  });
});

describe('packing', () => {
  const many = (family: Family, count: number): Uint8Array[] =>
    entries(family, {}, manyAddresses(family, count)).map((each) => each.nlri);

  it.each([
    ['ipv4', 800],
    ['ipv6', 230],
  ] as const)('fills a message of %s up to the last octet that fits', (family, least) => {
    const [first] = entries(family, LABELLED);
    if (first === undefined) throw new Error('no route');
    const packing = announcing(family, first.attributes, EXTERNAL, NEXT_HOP[family]);
    expect(packing.perMessage).toBeGreaterThanOrEqual(least);
    const message = packing.pack(many(family, packing.perMessage));
    const oneMore = packing.pack(many(family, packing.perMessage + 1));
    expect(message.length).toBeLessThanOrEqual(4096);
    expect(oneMore.length).toBeGreaterThan(4096);
  });

  it('packs withdrawals as tightly', () => {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const packing = withdrawing(family);
      expect(packing.pack(many(family, packing.perMessage)).length).toBeLessThanOrEqual(4096);
      expect(packing.pack(many(family, packing.perMessage + 1)).length).toBeGreaterThan(4096);
    }
    expect(withdrawing('ipv4').perMessage).toBe(814);
  });

  it('leaves room for a prefix beside the largest attributes that a route may have', () => {
    const largest = {
      med: 1,
      prepend: 254,
      communities: Array.from({ length: 128 }, (_, i) => `65000:${i}`),
      largeCommunities: Array.from({ length: 64 }, (_, i) => `4200000001:0:${i}`),
    };
    for (const family of ['ipv4', 'ipv6'] as const) {
      const [first] = entries(family, largest);
      if (first === undefined) throw new Error('not accepted');
      const session = { asn: 4_200_000_001, ebgp: true, fourOctetAs: false };
      expect(announcing(family, first.attributes, session, NEXT_HOP[family]).perMessage).toBeGreaterThan(10);
    }
  });
});

function manyAddresses(family: Family, count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    family === 'ipv4' ? `10.64.${i >> 8}.${i & 255}` : `2001:db8::1:${(i + 1).toString(16)}`,
  );
}
