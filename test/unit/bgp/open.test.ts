import { describe, expect, it } from 'vitest';
import { decodeOpen, encodeOpen, type LocalOpen } from '../../../src/bgp/open.ts';
import { address } from '../../fakes/bgp-settings.ts';
import * as wire from '../../fakes/bgp-wire.ts';
import { bytesOf, hexOf, OPEN } from '../../vectors/bgp/captures.ts';

const LOCAL: LocalOpen = {
  asn: 65010,
  routerId: address('10.0.0.9'),
  holdTimeS: 90,
  gracefulRestart: { restartTimeS: 30, restarting: false },
};

function body(hex: string): Uint8Array {
  return bytesOf(hex).subarray(19);
}

function accepted(hex: string, peerAsn = 65000, local: LocalOpen = LOCAL) {
  const decoded = decodeOpen(body(hex), local, peerAsn);
  if (!decoded.ok) throw new Error(decoded.error.text);
  return decoded.value;
}

describe('our OPEN', () => {
  const capabilities = (restart: string, asn: string): string => `0104000100010104000200010200${restart}4104${asn}4600`;

  it('offers both families, refresh, graceful restart and four-octet AS numbers', () => {
    const expected = `04fdf2005a0a00000924022201040001000101040002000102 00400a001e0001018000020180 41040000fdf24600`;
    expect(hexOf(encodeOpen(LOCAL)).slice(38)).toBe(expected.replaceAll(' ', ''));
    expect(hexOf(encodeOpen(LOCAL)).slice(32, 38)).toBe('004101');
  });

  it('sets the R bit after a restart, and leaves graceful restart out where there is none', () => {
    const restarting = encodeOpen({ ...LOCAL, gracefulRestart: { restartTimeS: 4095, restarting: true } });
    expect(hexOf(restarting)).toContain(capabilities('400a8fff0001018000020180', '0000fdf2'));
    const without = encodeOpen({ ...LOCAL, gracefulRestart: null });
    expect(hexOf(without)).toContain(capabilities('', '0000fdf2'));
  });

  it('says AS_TRANS where the AS has four octets, as BIRD does', () => {
    const hex = hexOf(encodeOpen({ ...LOCAL, asn: 4_200_000_001, routerId: address('10.0.0.2'), holdTimeS: 9 }));
    // Version, AS, hold time and identifier.
    expect(hex.slice(38, 56)).toBe(OPEN.birdFourOctet.slice(38, 56));
    expect(hex).toContain('4104fa56ea01');
  });
});

describe("a router's OPEN", () => {
  const complete = {
    peerRouterId: '10.0.0.2',
    holdTimeS: 9,
    fourOctetAs: true,
    families: ['ipv4', 'ipv6'],
    gracefulRestart: true,
  };

  it.each([
    ['bird', 65001, { ...complete, enhancedRouteRefresh: true }],
    ['frr', 65001, { ...complete, enhancedRouteRefresh: true }],
    ['gobgp', 65001, { ...complete, enhancedRouteRefresh: false }],
    ['birdFourOctet', 4_200_000_001, { ...complete, enhancedRouteRefresh: true }],
  ] as const)('of %s is read', (name, asn, expected) => {
    expect(accepted(OPEN[name], asn)).toEqual(expected);
  });

  it('without capabilities means IPv4 and two-octet AS numbers', () => {
    expect(accepted(wire.open({ parameters: '' }))).toEqual({
      peerRouterId: '10.0.0.1',
      holdTimeS: 9,
      fourOctetAs: false,
      families: ['ipv4'],
      enhancedRouteRefresh: false,
      gracefulRestart: false,
    });
  });

  it('decides the hold time together with ours', () => {
    expect(accepted(wire.open({ holdTimeS: 180 })).holdTimeS).toBe(90);
    expect(accepted(wire.open({ holdTimeS: 3 })).holdTimeS).toBe(3);
    expect(accepted(wire.open({ holdTimeS: 0 })).holdTimeS).toBe(0);
    expect(accepted(wire.open({ holdTimeS: 9 }), 65000, { ...LOCAL, holdTimeS: 0 }).holdTimeS).toBe(0);
  });

  it('may use the extended parameters of RFC 9072', () => {
    const capabilities = wire.MP_IPV4 + wire.MP_IPV6 + wire.FOUR_OCTET_AS;
    const list = `02${wire.u16(capabilities.length / 2)}${capabilities}`;
    const hex = wire.message(1, `04fde800090a000001ffff${wire.u16(list.length / 2)}${list}`);
    expect(accepted(hex)).toMatchObject({ families: ['ipv4', 'ipv6'], fourOctetAs: true });
  });

  it('may be as long as a message can be', () => {
    const filler = wire.capability(200, '00'.repeat(253));
    const list = `02${wire.u16((filler.length / 2) * 15 + 6)}${filler.repeat(15)}${wire.FOUR_OCTET_AS}`;
    const hex = wire.message(1, `04fde800090a000001ffff${wire.u16(list.length / 2)}${list}`);
    expect(accepted(hex).fourOctetAs).toBe(true);
  });

  it('may hold any capability that we do not know', () => {
    for (let code = 0; code < 256; code++) {
      if ([1, 64, 65].includes(code)) continue;
      const parameters = wire.parameter(2, wire.capability(code, 'abcdef') + wire.FOUR_OCTET_AS);
      expect(accepted(wire.open({ parameters })).fourOctetAs).toBe(true);
    }
  });

  it.each([
    ['no family', '400200 78'],
    ['the greatest restart time', '40020fff'],
    ['one family twice', '400a0078000101800001 0180'],
  ])('may offer graceful restart with %s', (_, hex) => {
    const parameters = wire.parameter(2, hex.replaceAll(' ', '') + wire.FOUR_OCTET_AS);
    expect(accepted(wire.open({ parameters })).gracefulRestart).toBe(true);
  });

  it('counts as graceful only if we offered it as well', () => {
    expect(accepted(wire.open(), 65000, { ...LOCAL, gracefulRestart: null }).gracefulRestart).toBe(false);
  });
});
