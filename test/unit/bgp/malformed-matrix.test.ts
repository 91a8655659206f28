import { describe, expect, it } from 'vitest';
import { Framer } from '../../../src/bgp/framer.ts';
import { hear, type Heard, type InboxContext } from '../../../src/bgp/inbox.ts';
import type { Negotiated } from '../../../src/bgp/open.ts';
import type { BgpState } from '../../../src/bgp/port.ts';
import { address } from '../../fakes/bgp-settings.ts';
import * as w from '../../fakes/bgp-wire.ts';
import { bytesOf, hexOf } from '../../vectors/bgp/captures.ts';

/*
 * Malformed and unusual input, one line each, and what the RFCs ask of the receiver: RFC 4271 section 6, RFC 5492,
 * RFC 6286, RFC 6608, RFC 6793, RFC 7313, RFC 7606, RFC 7607, RFC 9072. Outcomes:
 *   "code/subcode data"  the session ends with this NOTIFICATION
 *   "withdraw", "discard", "disable"  the session stays, RFC 7606's milder reactions
 *   "ok"  nothing to complain about;  "silent"  the session ends without an answer
 * Where RFC 7606 leaves the choice between reset and AFI/SAFI disable, ours is to disable: no route is used anyway.
 */

interface Peering {
  readonly peerAsn?: number;
  readonly localAsn?: number;
  readonly fourOctetAs?: boolean;
  readonly enhanced?: boolean;
  readonly families?: Negotiated['families'];
}

function context(state: BgpState, peering: Peering): InboxContext {
  const { peerAsn = 65000, localAsn = 65001, fourOctetAs = true, enhanced = false } = peering;
  const offered = { asn: localAsn, routerId: address('10.0.0.2'), holdTimeS: 9, gracefulRestart: null };
  const negotiated: Negotiated = {
    peerRouterId: address('10.0.0.1'),
    holdTimeS: 9,
    fourOctetAs,
    families: peering.families ?? ['ipv4', 'ipv6'],
    enhancedRouteRefresh: enhanced,
    gracefulRestart: false,
  };
  return { state, peerAsn, offered, negotiated: state === 'openSent' ? null : negotiated };
}

const FSM_SUBCODE: Partial<Record<BgpState, number>> = { openSent: 1, openConfirm: 2, established: 3 };

function outcomeOf(heard: Heard, state: BgpState): string {
  const { event, survived } = heard;
  if (event?.kind === 'error') return notification(event.notification);
  if (event?.kind === 'unexpected') {
    return notification({ code: 5, subcode: FSM_SUBCODE[state] ?? 0, data: Uint8Array.of(event.type) });
  }
  if (event?.kind === 'notification') return 'silent';
  switch (survived?.handling) {
    case undefined:
      return 'ok';
    case 'treat-as-withdraw':
      return `withdraw (${survived.code}/${survived.subcode})`;
    case 'attribute-discard':
      return 'discard';
    case 'afi-safi-disable':
      return `disable (${survived.code}/${survived.subcode})`;
    case 'reset':
      throw new Error('a reset must not be survived');
  }
}

function notification(content: { code: number; subcode: number; data: Uint8Array }): string {
  const data = content.data.length === 0 ? '' : ` ${hexOf(content.data)}`;
  return `${content.code}/${content.subcode}${data}`;
}

/** What the stack of framer and inbox makes of the octets of one message. */
function receive(hex: string, state: BgpState, peering: Peering = {}): string {
  const { messages, error } = new Framer().push(bytesOf(hex));
  if (error !== null) return notification(error);
  const [message, ...others] = messages;
  if (message === undefined || others.length > 0) throw new Error('one whole message is meant');
  return outcomeOf(hear(message, context(state, peering)), state);
}

type Row = readonly [name: string, hex: string, required: string, peering?: Peering];

function table(title: string, state: BgpState, rows: readonly Row[]): void {
  describe(title, () => {
    it.each(rows.map(([name, hex, required, peering = {}]) => ({ name, hex, required, peering })))(
      '$name',
      ({ hex, required, peering }) => {
        expect(receive(hex, state, peering)).toBe(required);
      },
    );
  });
}

table('the header', 'established', [
  ['H01 marker not all ones', `fe${w.KEEPALIVE_HEX.slice(2)}`, '1/1'],
  ['H01 only the last octet of the marker wrong', `${'f'.repeat(30)}00001304`, '1/1'],
  ['H02 length 18', w.message(4, '', 18), '1/2 0012'],
  ['H02 length 0', w.message(4, '', 0), '1/2 0000'],
  ['H03 length 4097', w.message(2, '', 4097), '1/2 1001'],
  ['H03 length 65535', w.message(2, '', 65535), '1/2 ffff'],
  ['H04 type 0', w.message(0), '1/3 00'],
  ['H05 type 6', w.message(6), '1/3 06'],
  ['H05 type 255', w.message(255), '1/3 ff'],
  ['H06 KEEPALIVE with a body', w.message(4, '00'), '1/2 0014'],
  ['H07 OPEN of 28', w.message(1, '00'.repeat(9)), '1/2 001c'],
  ['H08 UPDATE of 22', w.message(2, '000000'), '1/2 0016'],
  ['H09 NOTIFICATION of 20', w.message(3, '06'), '1/2 0014'],
  ['H10 ROUTE-REFRESH of 22', w.message(5, '000100'), '1/2 0016'],
  ['H10 ROUTE-REFRESH of 24', w.message(5, '0001000100'), '1/2 0018'],
  ['H11 the same with RFC 7313', w.message(5, '000100'), `7/1 ${w.message(5, '000100')}`, { enhanced: true }],
]);

const withParameters = (parameters: string): string => w.open({ parameters });
const capabilities = (...list: string[]): string => withParameters(w.parameter(2, list.join('')));
const OFFER = '010400010001010400020001';

table('OPEN', 'openSent', [
  ['as it should be', w.open(), 'ok'],
  ['O01 version 3', w.open({ version: 3 }), '2/1 0004'],
  ['O01 version 5', w.open({ version: 5 }), '2/1 0004'],
  ['O02 another AS', w.open({ asn: 64999, parameters: '' }), '2/2'],
  ['O02 another AS in the capability', capabilities(w.capability(65, w.u32(64999))), '2/2'],
  ['O03 AS 0', w.open({ asn: 0, parameters: '' }), '2/2', { peerAsn: 0 }],
  ['O04 AS 0 in the capability', capabilities(w.capability(65, w.u32(0))), '2/2', { peerAsn: 0 }],
  ['O24 AS_TRANS alone', w.open({ asn: 23456, parameters: '' }), '2/2', { peerAsn: 23456 }],
  ['O24 AS_TRANS with the true AS', w.open({ asn: 23456 }), 'ok'],
  ['O05 identifier 0', w.open({ routerId: '00000000' }), '2/3'],
  ['O05 our identifier, external', w.open({ routerId: '0a000002' }), 'ok'],
  ['O05 our identifier, internal', w.open({ routerId: '0a000002' }), '2/3', { localAsn: 65000 }],
  ['O06 hold time 1', w.open({ holdTimeS: 1 }), '2/6'],
  ['O07 hold time 2', w.open({ holdTimeS: 2 }), '2/6'],
  ['O08 hold time 0', w.open({ holdTimeS: 0 }), 'ok'],
  ['O09 unknown parameter', withParameters(w.parameter(9, '00')), '2/4'],
  ['O10 authentication parameter', withParameters(w.parameter(1, '00')), '2/4'],
  ['O11 parameters longer than the message', w.message(1, '04fde800090a000001ff0200'), '2/0'],
  ['O12 parameters shorter than the message', w.message(1, '04fde800090a000001000200'), '2/0'],
  ['O13 a parameter overruns', withParameters('0205'), '2/0'],
  ['O14 a capability overruns', withParameters(w.parameter(2, '410400')), '2/0'],
  ['O15 four-octet AS of two octets', capabilities(w.capability(65, 'fde8')), '2/0'],
  ['O16 multiprotocol of three octets', capabilities(w.capability(1, '000100')), '2/0'],
  ['graceful restart of three octets', capabilities(w.capability(64, '007800')), '2/0'],
  ['O17 unknown capability', capabilities(w.capability(99, 'abcd'), w.FOUR_OCTET_AS), 'ok'],
  ['O18 capabilities twice', capabilities(w.MP_IPV4, w.MP_IPV4, w.FOUR_OCTET_AS, w.FOUR_OCTET_AS), 'ok'],
  ['O19 one per parameter', withParameters(w.parameter(2, w.MP_IPV4) + w.parameter(2, w.FOUR_OCTET_AS)), 'ok'],
  ['O21 no capabilities', withParameters(''), 'ok'],
  ['O21 an empty list of capabilities', capabilities(), 'ok'],
  ['O22 IPv6 alone', capabilities(w.MP_IPV6, w.FOUR_OCTET_AS), 'ok'],
  ['O23 VPNv4 alone', capabilities(w.capability(1, '00010080'), w.FOUR_OCTET_AS), `2/7 ${OFFER}`],
]);

describe('the state machine', () => {
  it.each([
    ['F01 UPDATE in OpenSent', w.update(), 'openSent', '5/1 02'],
    ['F02 KEEPALIVE in OpenSent', w.KEEPALIVE_HEX, 'openSent', '5/1 04'],
    ['ROUTE-REFRESH in OpenSent', w.message(5, '00010001'), 'openSent', '5/1 05'],
    ['F03 UPDATE in OpenConfirm', w.update(), 'openConfirm', '5/2 02'],
    ['F05 ROUTE-REFRESH in OpenConfirm', w.message(5, '00010001'), 'openConfirm', '5/2 05'],
    ['OPEN in OpenConfirm', w.open(), 'openConfirm', '5/2 01'],
    ['F04 OPEN in Established', w.open(), 'established', '5/3 01'],
    ['F07 NOTIFICATION in OpenSent', w.message(3, '0602'), 'openSent', 'silent'],
    ['F07 NOTIFICATION in Established', w.message(3, `0602${'00'.repeat(4073)}`), 'established', 'silent'],
    ['a malformed UPDATE in OpenSent', w.message(2, 'ffffffff'), 'openSent', '5/1 02'],
  ] as const)('%s', (_, hex, state, required) => {
    expect(receive(hex, state)).toBe(required);
  });
});

const attributes = (...list: string[]): string => w.update({ attributes: list.join('') });
const replacing = (old: string, by: string): string => w.update({ attributes: w.GOOD_ATTRIBUTES.replace(old, by) });
const adding = (extra: string): string => attributes(w.GOOD_ATTRIBUTES, extra);
const v6 = (...list: string[]): string => w.update({ attributes: [w.ORIGIN, w.AS_PATH, ...list].join(''), nlri: '' });
const V6_PREFIX = '8020010db8000000000000000000000001';

table('UPDATE: structure', 'established', [
  ['as it should be', w.update(), 'ok'],
  ['U01 withdrawn routes overrun', w.update({ withdrawnLength: 200 }), '3/1'],
  ['U01 no room for the attributes length', w.message(2, '000120cb'), '3/1'],
  ['U02 attributes overrun', w.update({ attributesLength: 200 }), '3/1'],
  ['U03 the last attribute overruns', adding('80040500000032'), 'withdraw (3/5)'],
  ['U04 a stray octet at the end', adding('80'), 'withdraw (3/1)'],
  ['U04 a stray extended header', adding('900400'), 'withdraw (3/1)'],
  ['U05 ORIGIN twice', adding(w.ORIGIN), 'discard'],
  ['U06 MP_REACH_NLRI twice', v6(w.mpReach(V6_PREFIX), w.mpReach(V6_PREFIX)), '3/1'],
  ['U06 MP_UNREACH_NLRI twice', v6(w.mpUnreach('000201'), w.mpUnreach('000201')), '3/1'],
  ['U32 unknown well-known attribute', adding(w.attribute(0x40, 99, '01')), '3/2 40630101'],
  ['U33 unknown optional transitive attribute', adding(w.attribute(0xc0, 99, '01')), 'ok'],
  ['U34 unknown optional attribute', adding(w.attribute(0x80, 99, '01')), 'ok'],
  ['U37 prefix length 33', w.update({ nlri: '21cb00710100' }), 'disable (3/10)'],
  ['U38 a prefix cut short', w.update({ nlri: '20cb0071' }), 'disable (3/10)'],
  ['U39 bad withdrawn prefix', w.update({ withdrawn: '40cb007101cb007101' }), 'disable (3/10)'],
  ['U45 host bits behind the prefix length', w.update({ nlri: '18cb0071' }), 'ok'],
  ['U48 End-of-RIB', w.update({ attributes: '', nlri: '' }), 'ok'],
  ['U49 attributes without routes', w.update({ nlri: '' }), 'ok'],
  ['U50 one prefix withdrawn and announced', w.update({ withdrawn: w.PREFIX }), 'ok'],
  ['U51 extended length of a short attribute', replacing(w.ORIGIN, w.attribute(0x50, 1, '00')), 'ok'],
  [
    'RFC 7606 5.2: an error with nothing to withdraw',
    w.update({ attributes: w.attribute(0x40, 1, '03'), nlri: '' }),
    '3/6 40010103',
  ],
  [
    'RFC 7606 5.2: withdrawn routes are not reachable',
    w.update({ withdrawn: w.PREFIX, attributes: w.attribute(0x80, 4, '01'), nlri: '' }),
    '3/5 80040101',
  ],
  [
    'RFC 7606 5.2: a discarded attribute is no such error',
    w.update({ attributes: w.attribute(0x40, 6, '01'), nlri: '' }),
    'discard',
  ],
]);

table('UPDATE: attributes', 'established', [
  ['U07 ORIGIN 3', replacing(w.ORIGIN, w.attribute(0x40, 1, '03')), 'withdraw (3/6)'],
  ['U08 ORIGIN of two octets', replacing(w.ORIGIN, w.attribute(0x40, 1, '0000')), 'withdraw (3/5)'],
  ['U35 ORIGIN optional', replacing(w.ORIGIN, w.attribute(0xc0, 1, '00')), 'withdraw (3/4)'],
  ['U09 AS_PATH segment type 5', replacing(w.AS_PATH, w.attribute(0x40, 2, '05010000fde8')), 'withdraw (3/11)'],
  ['U10 AS_PATH overruns', replacing(w.AS_PATH, w.attribute(0x40, 2, '02020000fde8')), 'withdraw (3/11)'],
  ['U11 AS_PATH segment without AS', replacing(w.AS_PATH, w.attribute(0x40, 2, '0200')), 'withdraw (3/11)'],
  ['U12 AS_PATH of two-octet AS numbers', replacing(w.AS_PATH, w.attribute(0x40, 2, '0201fde8')), 'withdraw (3/11)'],
  [
    'U12 the same from an old speaker',
    replacing(w.AS_PATH, w.attribute(0x40, 2, '0201fde8')),
    'ok',
    { fourOctetAs: false },
  ],
  ['U13 AS_PATH empty', replacing(w.AS_PATH, w.attribute(0x40, 2, '')), 'ok'],
  ['U14 first AS is not the peer', replacing(w.AS_PATH, w.attribute(0x40, 2, '02010000fc00')), 'ok'],
  ['U15 AS 0 in AS_PATH', replacing(w.AS_PATH, w.attribute(0x40, 2, '02020000fde800000000')), 'withdraw (3/11)'],
  ['U16 confederation segment', replacing(w.AS_PATH, w.attribute(0x40, 2, '03010000fde8')), 'withdraw (3/11)'],
  ['U46 our own AS', replacing(w.AS_PATH, w.attribute(0x40, 2, '02020000fde80000fde9')), 'ok'],
  ['U17 NEXT_HOP of three octets', replacing(w.NEXT_HOP, w.attribute(0x40, 3, 'c63364')), 'withdraw (3/5)'],
  ['U18 NEXT_HOP 0.0.0.0', replacing(w.NEXT_HOP, w.attribute(0x40, 3, '00000000')), 'ok'],
  ['U19 NEXT_HOP multicast', replacing(w.NEXT_HOP, w.attribute(0x40, 3, 'e0000001')), 'ok'],
  ['U20 NEXT_HOP our own', replacing(w.NEXT_HOP, w.attribute(0x40, 3, '7f000002')), 'ok'],
  ['U21 ORIGIN missing', attributes(w.AS_PATH, w.NEXT_HOP), 'withdraw (3/3)'],
  ['U22 AS_PATH missing', attributes(w.ORIGIN, w.NEXT_HOP), 'withdraw (3/3)'],
  ['U23 NEXT_HOP missing', attributes(w.ORIGIN, w.AS_PATH), 'withdraw (3/3)'],
  ['U24 MED of three octets', adding(w.attribute(0x80, 4, '000001')), 'withdraw (3/5)'],
  ['U36 MED transitive', adding(w.attribute(0xc0, 4, '00000001')), 'withdraw (3/4)'],
  ['U25 LOCAL_PREF from an external peer', adding(w.attribute(0x40, 5, '00000064')), 'discard'],
  [
    'U25 LOCAL_PREF of three octets from an internal peer',
    adding(w.attribute(0x40, 5, '000064')),
    'withdraw (3/5)',
    { localAsn: 65000 },
  ],
  ['U26 ATOMIC_AGGREGATE of one octet', adding(w.attribute(0x40, 6, '00')), 'discard'],
  ['U27 AGGREGATOR of five octets', adding(w.attribute(0xc0, 7, '0000fde801')), 'discard'],
  [
    'AGGREGATOR of an old speaker',
    replacing(w.AS_PATH, `${w.attribute(0x40, 2, '0201fde8')}${w.attribute(0xc0, 7, 'fde80a000001')}`),
    'ok',
    { fourOctetAs: false },
  ],
  ['U28 COMMUNITIES of three octets', adding(w.attribute(0xc0, 8, 'fde800')), 'withdraw (3/5)'],
  ['U29 COMMUNITIES empty', adding(w.attribute(0xc0, 8, '')), 'withdraw (3/5)'],
  ['U52 ORIGINATOR_ID from an external peer', adding(w.attribute(0x80, 9, '0a000001')), 'discard'],
  [
    'CLUSTER_LIST of three octets from an internal peer',
    adding(w.attribute(0x80, 10, '0a0000')),
    'withdraw (3/5)',
    { localAsn: 65000 },
  ],
  ['U30 EXTENDED COMMUNITIES of seven octets', adding(w.attribute(0xc0, 16, '00020000000000')), 'withdraw (3/5)'],
  ['U31 LARGE_COMMUNITY of eleven octets', adding(w.attribute(0xc0, 32, '00'.repeat(11))), 'withdraw (3/5)'],
  ['U47 AS4_PATH from a new speaker', adding(w.attribute(0xc0, 17, '02010000fde8')), 'discard'],
  [
    'AS4_PATH malformed from an old speaker',
    replacing(w.AS_PATH, `${w.attribute(0x40, 2, '0201fde8')}${w.attribute(0xc0, 17, '0201')}`),
    'discard',
    { fourOctetAs: false },
  ],
]);

table('UPDATE: multiprotocol', 'established', [
  ['as it should be', v6(w.mpReach(V6_PREFIX)), 'ok'],
  [
    'global and link-local next hop',
    v6(w.mpReach(V6_PREFIX, 'fd000005000000000000000000000001fe800000000000000000000000000001')),
    'ok',
  ],
  ['U40 next hop of five octets', v6(w.mpReach(V6_PREFIX, 'fd00000500')), 'disable (3/9)'],
  ['U41 prefix length 129', v6(w.mpReach(`81${V6_PREFIX.slice(2)}00`)), 'disable (3/9)'],
  ['U42 MP_REACH_NLRI too short', v6(w.attribute(0x80, 14, '0002')), 'disable (3/9)'],
  ['U43 MP_UNREACH_NLRI of two octets', v6(w.mpUnreach('0002')), 'disable (3/9)'],
  ['U44 a family that was not negotiated', v6(w.mpReach(V6_PREFIX)), 'ok', { families: ['ipv4'] }],
  ['U44 an unknown family', v6(w.mpReach('00', '00', 25)), 'ok'],
  ['U48 End-of-RIB', w.update({ attributes: w.mpUnreach('000201'), nlri: '' }), 'ok'],
  [
    'ORIGIN missing beside MP_REACH_NLRI',
    w.update({ attributes: w.AS_PATH + w.mpReach(V6_PREFIX), nlri: '' }),
    'withdraw (3/3)',
  ],
  ['MP_REACH_NLRI with flags of a well-known attribute', v6(`40${w.mpReach(V6_PREFIX).slice(2)}`), 'withdraw (3/4)'],
]);

table('ROUTE-REFRESH', 'established', [
  ['R01 a family of ours', w.message(5, '00010001'), 'ok'],
  ['R02 an unknown family', w.message(5, '00190046'), 'ok'],
  ['R03 subtype 9', w.message(5, '00010901'), 'ok'],
  ['R04 the beginning mark', w.message(5, '00010101'), 'ok'],
  ['R04 the end mark', w.message(5, '00010201'), 'ok'],
]);

describe('what is heard besides errors', () => {
  const heard = (hex: string, peering: Peering = {}): Heard => {
    const [message] = new Framer().push(bytesOf(hex)).messages;
    if (message === undefined) throw new Error('no message');
    return hear(message, context('established', peering));
  };

  it('counts announced routes of both families', () => {
    expect(heard(w.update({ nlri: w.PREFIX.repeat(3) })).announced).toBe(3);
    expect(heard(v6(w.mpReach(V6_PREFIX.repeat(2)))).announced).toBe(2);
    expect(heard(v6(w.mpReach(V6_PREFIX)), { families: ['ipv4'] }).announced).toBe(0);
  });

  it('asks for a refresh on a request alone', () => {
    expect(heard(w.message(5, '00010001')).refresh).toBe('ipv4');
    expect(heard(w.message(5, '00020001')).refresh).toBe('ipv6');
    for (const other of ['00010101', '00010201', '00010901', '00190046', '00010080']) {
      expect(heard(w.message(5, other)).refresh).toBeUndefined();
    }
  });

  it('gives the text of a shutdown to whoever reads the log', () => {
    const text = '6d61696e74656e616e6365';
    const event = heard(w.message(3, `06020b${text}`)).event;
    expect(event).toMatchObject({ kind: 'notification', notification: { code: 6, subcode: 2 } });
  });
});
