import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { err, ok } from '../../../src/core/result.ts';
import type { ServiceKey } from '../../../src/ipvs/dataplane.ts';
import type { Listing } from '../../../src/ipvs/nftables/listing.ts';
import { marksTransaction, NftPacketMarks } from '../../../src/ipvs/nftables/marks.ts';
import type { PacketMark } from '../../../src/ipvs/packet-marks.ts';
import { address } from '../../contract/dataplane-samples.ts';

const NONE = new Set<ServiceKey>();
const WEB: PacketMark = {
  fwmark: 7,
  address: address('203.0.113.10'),
  protocol: 'tcp',
  ports: [
    { first: 80, last: 80 },
    { first: 8000, last: 8010 },
  ],
};
const EVERYTHING: PacketMark = { fwmark: 8, address: address('2001:db8::10'), protocol: 'udp', ports: [] };
const WEB_RULE = 'ip daddr == 203.0.113.10 tcp dport == { 80, 8000-8010 } meta mark set 7';
const EVERYTHING_RULE = 'ip6 daddr == 2001:db8::10 meta l4proto == 17 meta mark set 8';

function listing(...rules: readonly string[]): Listing {
  const hooks = {
    prerouting: 'type filter hook prerouting priority -150; policy accept;',
    output: 'type route hook output priority -150; policy accept;',
  };
  const chains = new Map(Object.entries(hooks).map(([name, hook]) => [name, { hook, rules }]));
  return { chains, counters: new Map(), sets: new Set() };
}

const rulesIn = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => /^add rule inet vipkeeper-marks prerouting (.*)$/.exec(line)?.[1] ?? []);

describe('packet marks', () => {
  it('become a table of their own, replaced as a whole', () => {
    const lines = marksTransaction(null, [WEB, EVERYTHING], NONE);
    expect(lines.slice(0, 4)).toEqual([
      'add table inet vipkeeper-marks',
      'delete table inet vipkeeper-marks',
      'add table inet vipkeeper-marks',
      'add chain inet vipkeeper-marks prerouting { type filter hook prerouting priority -150; policy accept; }',
    ]);
    expect(rulesIn(lines)).toEqual([WEB_RULE, EVERYTHING_RULE]);
    expect(lines.filter((line) => line.includes(' output ip'))).toHaveLength(2);
  });

  it('are left alone where they are as wanted, in whatever order', () => {
    expect(marksTransaction(listing(EVERYTHING_RULE, WEB_RULE), [WEB, EVERYTHING], NONE)).toEqual([]);
    expect(marksTransaction(null, [], NONE)).toEqual([]);
  });

  it('are mended where they are not', () => {
    expect(rulesIn(marksTransaction(listing(WEB_RULE, 'drop'), [WEB], NONE))).toEqual([WEB_RULE]);
    const lost = listing(WEB_RULE);
    const hookless = new Map([...lost.chains, ['output', { hook: null, rules: [WEB_RULE] }] as const]);
    expect(rulesIn(marksTransaction({ ...lost, chains: hookless }, [WEB], NONE))).toEqual([WEB_RULE]);
  });

  it('go with the last that wanted them, but not before its connections are over', () => {
    const there = listing(WEB_RULE, EVERYTHING_RULE);
    const leaving = new Set(['fwmark|ipv4|7' as ServiceKey]);
    expect(rulesIn(marksTransaction(there, [], leaving))).toEqual([WEB_RULE]);
    expect(marksTransaction(listing(WEB_RULE), [], leaving)).toEqual([]);
    expect(marksTransaction(there, [], NONE)).toEqual(['delete table inet vipkeeper-marks']);
  });

  it('that are wanted come after those of a service that leaves: the last one counts', () => {
    const leaving = new Set(['fwmark|ipv4|7' as ServiceKey]);
    const instead: PacketMark = { ...WEB, fwmark: 9 };
    const after = marksTransaction(listing(WEB_RULE), [instead], leaving);
    expect(rulesIn(after)).toEqual([WEB_RULE, WEB_RULE.replace(/7$/, '9')]);
  });

  it('need nft only where somebody asks for them', async () => {
    const missing = new CodedError('NFT_FAILED', 'nft: there is no such program');
    const marks = new NftPacketMarks({ run: () => Promise.resolve(err(missing)) });
    expect(await marks.apply([], NONE)).toEqual(ok(false));
    expect(await marks.apply([WEB], NONE)).toEqual(err(missing));
  });
});
