import { describe, expect, it } from 'vitest';
import { serviceKeyOf } from '../../../src/ipvs/dataplane.ts';
import type { DataplaneOp } from '../../../src/ipvs/dataplane.ts';
import { KernelTable } from '../../../src/ipvs/kernel-table.ts';
import { decodeListing } from '../../../src/ipvs/nftables/decode.ts';
import { layoutOf } from '../../../src/ipvs/nftables/layout.ts';
import { parseListing } from '../../../src/ipvs/nftables/listing.ts';
import type { Listing } from '../../../src/ipvs/nftables/listing.ts';
import { parseRealName, parseServiceName } from '../../../src/ipvs/nftables/names.ts';
import { transaction } from '../../../src/ipvs/nftables/transaction.ts';
import {
  addReal,
  addService,
  deleteReal,
  deleteService,
  DNS,
  editReal,
  editService,
  fwmark,
  match,
  real,
  service,
  WEB,
  WEB6,
} from '../../contract/dataplane-samples.ts';
import { captured } from '../../vectors/nftables/captures.ts';

const MARK = fwmark(7, 'ipv4');
const ALL_PORTS = match('tcp', '192.0.2.5', 0);
const WEB_SERVICE = service(WEB, { persistence: { timeoutSeconds: 360, prefixLength: 24 } });

/** What was in force when the listing was captured. */
const SERVICES_IN_CAPTURE: readonly DataplaneOp[] = [
  addService(WEB_SERVICE),
  addReal(WEB, real('10.0.0.1', 8080, { weight: 3 })),
  addReal(WEB, real('10.0.0.2', 80)),
  addReal(WEB, real('10.0.0.3', 80, { weight: 0 })),
  addService(
    service(WEB6, { scheduler: 'sh', schedulerFlags: 2, persistence: { timeoutSeconds: 60, prefixLength: 64 } }),
  ),
  addReal(WEB6, real('2001:db8:2::1', 80, { weight: 100 })),
  addReal(WEB6, real('2001:db8:2::2', 80, { weight: 300 })),
  addService(service(DNS, { scheduler: 'rr' })),
  addService(service(MARK, { scheduler: 'fo' })),
  addReal(MARK, real('10.0.0.1', 0)),
  addReal(MARK, real('10.0.0.2', 8080, { weight: 5 })),
  addService(service(ALL_PORTS, { persistence: { timeoutSeconds: 300, prefixLength: 32 } })),
  addReal(ALL_PORTS, real('10.0.0.4', 0)),
];

function listed(name: 'listing' | 'listing-altered'): Listing {
  const listing = parseListing(captured(name));
  if (!listing.ok) throw new Error(listing.error);
  return listing.value;
}

function tableAfter(...ops: readonly DataplaneOp[]): KernelTable {
  const table = KernelTable.from(decodeListing(listed('listing')));
  for (const op of ops) expect(table.carryOut(op)).toBeNull();
  return table;
}

function linesAfter(...ops: readonly DataplaneOp[]): string[] {
  return transaction(listed('listing'), layoutOf(tableAfter(...ops).entries)).map(({ text }) => text);
}

function wanted(): KernelTable {
  const table = new KernelTable();
  for (const op of SERVICES_IN_CAPTURE) expect(table.carryOut(op)).toBeNull();
  return table;
}

describe('what nft lists', () => {
  it('is read as the services that were applied', () => {
    const decoded = decodeListing(listed('listing'));
    const { entries } = wanted();
    expect(decoded.size).toBe(5);
    for (const [key, { service: each, destinations }] of entries) {
      expect(decoded.get(key)?.service).toEqual(each);
      expect(new Map(decoded.get(key)?.destinations)).toEqual(new Map(destinations));
    }
  });

  it('is in the spelling of our own rules: what is wanted and listed needs no command', () => {
    expect(transaction(listed('listing'), layoutOf(wanted().entries))).toEqual([]);
  });

  it('tells what somebody changed: a service shares out otherwise, a real is not the one it was', () => {
    const decoded = decodeListing(listed('listing-altered'));
    expect(decoded.get(serviceKeyOf(WEB))?.service).toEqual({ ...WEB_SERVICE, scheduler: 'altered' });
    expect([...(decoded.get(serviceKeyOf(WEB))?.destinations.keys() ?? [])]).toHaveLength(3);
    expect([...(decoded.get(serviceKeyOf(MARK))?.destinations.keys() ?? [])]).toEqual(['10.0.0.1|0']);
    expect(decoded.get(serviceKeyOf(MARK))?.service.scheduler).toBe('fo');
    expect(decoded.get(serviceKeyOf(WEB6))?.service.scheduler).toBe('sh');
  });

  it('is mended where it was changed, and only there', () => {
    const lines = transaction(listed('listing-altered'), layoutOf(wanted().entries)).map(({ text }) => text);
    const web = 'svc/tcp/192.0.2.1/80';
    const marked = 'real/fwmark/ipv4/7/10.0.0.2/8080';
    expect(lines.filter((line) => !line.includes('add rule'))).toEqual([
      `flush chain inet vipkeeper ${web}`,
      `flush chain inet vipkeeper ${marked}`,
    ]);
    expect(lines.filter((line) => line.includes('add rule')).map((line) => line.split(' ')[4])).toEqual([
      ...Array<string>(4).fill(web),
      ...Array<string>(2).fill(marked),
    ]);
  });

  it('counts for nothing when packets do not come there', () => {
    const listing = listed('listing');
    const without = (name: string): Listing => {
      const chains = new Map(listing.chains);
      chains.delete(name);
      return { ...listing, chains };
    };
    for (const name of ['prerouting', 'output', 'dispatch']) expect(decodeListing(without(name)).size).toBe(0);
    const chains = new Map(listing.chains);
    const rules = (chains.get('dispatch')?.rules ?? []).filter((rule) => !rule.includes('. th dport'));
    chains.set('dispatch', { hook: null, rules });
    expect([...decodeListing({ ...listing, chains }).keys()].toSorted()).toEqual(['fwmark|ipv4|7', 'tcp|192.0.2.5|0']);
  });

  it.each([
    ['', 'JSON'],
    ['[]', 'list "nftables"'],
    ['{"nftables": [{"rule": {"table": "vipkeeper", "chain": "a", "expr": []}}]}', 'without its chain'],
  ])('is refused when it is %j', (text, reason) => {
    const listing = parseListing(text);
    expect(listing.ok ? '' : listing.error).toContain(reason);
  });
});

describe('the transaction', () => {
  it('edits one weight in place: the two chains that tell of it', () => {
    expect(linesAfter(editReal(WEB, real('10.0.0.2', 80, { weight: 3 })))).toEqual([
      'flush chain inet vipkeeper svc/tcp/192.0.2.1/80',
      'add rule inet vipkeeper svc/tcp/192.0.2.1/80 counter name "svc/tcp/192.0.2.1/80" comment "wlc flags 0 persistence 360/24"',
      'add rule inet vipkeeper svc/tcp/192.0.2.1/80 ip saddr & 255.255.255.0 == @kept/tcp/192.0.2.1/80/10.0.0.1/8080/360-24 goto real/tcp/192.0.2.1/80/10.0.0.1/8080',
      'add rule inet vipkeeper svc/tcp/192.0.2.1/80 ip saddr & 255.255.255.0 == @kept/tcp/192.0.2.1/80/10.0.0.2/80/360-24 goto real/tcp/192.0.2.1/80/10.0.0.2/80',
      'add rule inet vipkeeper svc/tcp/192.0.2.1/80 numgen inc mod 2 vmap { 0 : goto real/tcp/192.0.2.1/80/10.0.0.1/8080, 1 : goto real/tcp/192.0.2.1/80/10.0.0.2/80 }',
      'flush chain inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.2/80',
      'add rule inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.2/80 counter name "real/tcp/192.0.2.1/80/10.0.0.2/80" comment "weight 3"',
      'add rule inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.2/80 update @kept/tcp/192.0.2.1/80/10.0.0.2/80/360-24 { ip saddr & 255.255.255.0 }',
      'add rule inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.2/80 meta l4proto == 6 dnat ip to 10.0.0.2:80',
    ]);
  });

  it('forgets the clients of a real that gets no more', () => {
    const [first, ...rest] = linesAfter(editReal(WEB, real('10.0.0.1', 8080, { weight: 0 })));
    expect(first).toBe('flush set inet vipkeeper kept/tcp/192.0.2.1/80/10.0.0.1/8080/360-24');
    expect(rest).toContain('add rule inet vipkeeper svc/tcp/192.0.2.1/80 goto real/tcp/192.0.2.1/80/10.0.0.2/80');
  });

  it('takes a real away with all that was made for it, and nothing else', () => {
    const lines = linesAfter(deleteReal(WEB, '10.0.0.1', 8080));
    expect(lines.filter((line) => line.startsWith('delete'))).toEqual([
      'delete chain inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.1/8080',
      'delete set inet vipkeeper kept/tcp/192.0.2.1/80/10.0.0.1/8080/360-24',
      'delete counter inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.1/8080',
    ]);
  });

  it('makes new sets for another persistence, as a set cannot be edited', () => {
    const edited = service(WEB, { persistence: { timeoutSeconds: 10, prefixLength: 32 } });
    const lines = linesAfter(editService(edited)).filter((line) => line.includes(' set '));
    const kept = 'inet vipkeeper kept/tcp/192.0.2.1/80';
    const added = ['10.0.0.1/8080', '10.0.0.2/80', '10.0.0.3/80'].map(
      (each) => `add set ${kept}/${each}/10-32 { type ipv4_addr; flags dynamic, timeout; timeout 10s; size 262144; }`,
    );
    expect(lines.filter((line) => line.startsWith('add'))).toEqual(added);
    expect(lines.filter((line) => line.startsWith('delete')).toSorted()).toEqual(
      ['10.0.0.1/8080', '10.0.0.2/80', '10.0.0.3/80'].map((each) => `delete set ${kept}/${each}/360-24`),
    );
  });

  it('starts with the table, and ends with it when nothing is wanted any more', () => {
    const lines = transaction(null, layoutOf(wanted().entries)).map(({ text }) => text);
    expect(lines[0]).toBe('add table inet vipkeeper');
    expect(lines).toContain(
      'add chain inet vipkeeper prerouting { type nat hook prerouting priority -100; policy accept; }',
    );
    const nothing = [WEB, WEB6, DNS, MARK, ALL_PORTS].map(deleteService);
    expect(linesAfter(...nothing)).toEqual(['delete table inet vipkeeper']);
    expect(transaction(null, layoutOf(new Map()))).toEqual([]);
  });
});

describe('the names in the table', () => {
  it.each(['svc/tcp/192.0.2.1/80', 'svc/udp/2001_db8__1/0', 'svc/fwmark/ipv6/4294967295'])('reads %s', (name) => {
    expect(parseServiceName(name)).not.toBeNull();
  });

  it.each([
    ...['svc/', 'svc/tcp/192.0.2.1', 'svc/tcp/192.0.2.1/080', 'svc/icmp/192.0.2.1/0', 'svc/tcp/2001_DB8__1/80'],
    ...['svc/fwmark/ipv4/x', 'svc/fwmark/inet/7', 'svc/tcp/192.0.2.1/80/more', 'theirs'],
  ])('leaves %s alone', (name) => {
    expect(parseServiceName(name)).toBeNull();
    expect(parseRealName(name.replace('svc/', 'real/'))).toBeNull();
  });
});
