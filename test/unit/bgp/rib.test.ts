import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../../src/bgp/port.ts';
import { AdjRibOut, type NextHops, type RibSession } from '../../../src/bgp/rib.ts';
import type { Family, IpAddress } from '../../../src/model/address.ts';
import { BgpReader } from '../../fakes/bgp-reader.ts';
import { address, route, WholeTable } from '../../fakes/bgp-settings.ts';
import { runs } from '../../fakes/property.ts';

const SESSION: RibSession = {
  peer: 'tor1',
  families: ['ipv4', 'ipv6'],
  asn: 65001,
  ebgp: true,
  fourOctetAs: true,
};
const HOPS: NextHops = { ipv4: address('198.51.100.2'), ipv6: address('fd00:5::2') };
const OTHER_HOPS: NextHops = { ipv4: address('198.51.100.3'), ipv6: null };

class Peer {
  readonly table = new WholeTable();
  readonly rib = new AdjRibOut(this.table);
  reader = new BgpReader();

  constructor(session = SESSION, hops = HOPS) {
    this.rib.open(session, hops);
  }

  want(routes: readonly Route[]): void {
    this.rib.mark(this.table.replace(routes));
  }

  /** Delivers at most `limit` messages. */
  deliver(limit: number): number {
    const messages = this.rib.take(limit);
    for (const message of messages) this.reader.read(message);
    return messages.length;
  }

  deliverAll(): void {
    while (this.deliver(3) > 0);
  }

  get known(): string[] {
    return [...this.reader.routes.keys()].sort();
  }
}

describe('the difference between what a peer knows and what it should know', () => {
  it('says nothing twice', () => {
    const peer = new Peer();
    const routes = [route('203.0.113.1'), route('2001:db8::1', { med: 5 })];
    peer.want(routes);
    expect(peer.deliver(10)).toBe(2);
    peer.want(routes.map((each) => ({ ...each })));
    expect(peer.deliver(10)).toBe(0);
    peer.want([route('203.0.113.1', { communities: [] }), route('2001:db8::1', { med: 6 })]);
    expect(peer.deliver(10)).toBe(1);
    expect(peer.reader.routes.get(address('2001:db8::1'))?.attributes[4]).toBe('00000006');
  });

  it('packs routes of equal attributes together, however they came', () => {
    const peer = new Peer();
    const routes: Route[] = [];
    for (let i = 0; i < 50; i++) {
      routes.push(route(`203.0.113.${i}`, { communities: ['65000:1'] }));
      peer.want([...routes]);
    }
    expect(peer.deliver(100)).toBe(1);
    expect(peer.known).toHaveLength(50);
  });

  it('never tells of states that have passed', () => {
    const peer = new Peer();
    for (let i = 0; i < 1000; i++) peer.want(i % 2 === 0 ? [route('203.0.113.1', { med: i })] : []);
    expect(peer.deliver(100)).toBe(0);
    peer.want([route('203.0.113.1', { med: 1 })]);
    expect(peer.deliver(100)).toBe(1);
  });

  it('withdraws before it announces', () => {
    const peer = new Peer();
    peer.want([route('203.0.113.1'), route('2001:db8::1')]);
    peer.deliverAll();
    peer.want([route('203.0.113.2'), route('2001:db8::2')]);
    expect(peer.deliver(2)).toBe(2);
    expect(peer.known).toEqual([]);
    peer.deliverAll();
    expect(peer.known).toEqual(['2001:db8::2', '203.0.113.2']);
  });

  it('says a family again on a refresh, and withdraws what has gone meanwhile', () => {
    const peer = new Peer();
    peer.want([route('203.0.113.1'), route('203.0.113.2'), route('2001:db8::1')]);
    peer.deliverAll();
    peer.rib.refresh('ipv4');
    peer.want([route('203.0.113.2'), route('2001:db8::1')]);
    const updates = peer.reader.updates;
    peer.deliverAll();
    expect(peer.reader.updates).toBe(updates + 2);
    expect(peer.known).toEqual(['2001:db8::1', '203.0.113.2']);
  });

  it('keeps to the families of the session', () => {
    const peer = new Peer({ ...SESSION, families: ['ipv6'] });
    peer.want([route('203.0.113.1'), route('2001:db8::1')]);
    peer.deliverAll();
    expect(peer.known).toEqual(['2001:db8::1']);
    expect(peer.rib.isSettled('ipv4')).toBe(true);
  });

  it('withdraws a family that loses its next hop, and announces it again with the next', () => {
    const peer = new Peer();
    peer.want([route('203.0.113.1'), route('2001:db8::1')]);
    peer.deliverAll();
    peer.rib.setNextHops(OTHER_HOPS);
    peer.deliverAll();
    expect(peer.known).toEqual(['203.0.113.1']);
    expect(peer.reader.routes.get(address('203.0.113.1'))?.nextHop).toBe('198.51.100.3');
    peer.rib.setNextHops(HOPS);
    peer.deliverAll();
    expect(peer.known).toEqual(['2001:db8::1', '203.0.113.1']);
  });

  it('tells a route only to the peers that it names', () => {
    const peer = new Peer();
    peer.want([route('203.0.113.1', { peers: ['tor1', 'tor2'] }), route('203.0.113.2', { peers: ['tor2'] })]);
    peer.deliverAll();
    expect(peer.known).toEqual(['203.0.113.1']);
    peer.want([route('203.0.113.1', { peers: ['tor2'] }), route('203.0.113.2', { peers: ['tor1'] })]);
    peer.deliverAll();
    expect(peer.known).toEqual(['203.0.113.2']);
  });
});

const addresses = [
  ...Array.from({ length: 6 }, (_, i) => `203.0.113.${i}`),
  ...Array.from({ length: 6 }, (_, i) => `2001:db8::${i + 1}`),
];

const routesArbitrary = fc.uniqueArray(fc.constantFrom(...addresses)).chain((chosen) =>
  fc.tuple(
    ...chosen.map((each) =>
      fc
        .record({
          med: fc.constantFrom(null, 1, 2),
          communities: fc.constantFrom([], ['65000:1'], ['65000:2', '65000:1']),
          peers: fc.constantFrom(null, ['tor1'], ['tor2']),
        })
        .map((attributes) => route(each, attributes)),
    ),
  ),
);

type Doing =
  | { readonly kind: 'want'; readonly routes: readonly Route[] }
  | { readonly kind: 'deliver'; readonly limit: number }
  | { readonly kind: 'refresh'; readonly family: Family }
  | { readonly kind: 'hops'; readonly hops: NextHops }
  | { readonly kind: 'reconnect' };

const doingArbitrary: fc.Arbitrary<Doing> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('want' as const), routes: routesArbitrary }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), limit: fc.integer({ min: 0, max: 3 }) }) },
  fc.record({ kind: fc.constant('refresh' as const), family: fc.constantFrom<Family>('ipv4', 'ipv6') }),
  fc.record({ kind: fc.constant('hops' as const), hops: fc.constantFrom(HOPS, OTHER_HOPS) }),
  fc.constant<Doing>({ kind: 'reconnect' }),
);

describe('whatever changes in between', () => {
  it('leaves the peer with exactly the wanted routes', () => {
    fc.assert(
      fc.property(fc.array(doingArbitrary, { maxLength: 30 }), (doings) => {
        const peer = new Peer();
        let hops = HOPS;
        let wanted: readonly Route[] = [];
        for (const doing of doings) {
          if (doing.kind === 'want') peer.want((wanted = doing.routes));
          else if (doing.kind === 'deliver') peer.deliver(doing.limit);
          else if (doing.kind === 'refresh') peer.rib.refresh(doing.family);
          else if (doing.kind === 'hops') peer.rib.setNextHops((hops = doing.hops));
          else {
            peer.reader = new BgpReader();
            peer.rib.open(SESSION, hops);
          }
        }
        peer.deliverAll();
        const expected = wanted
          .filter(
            (each) => each.peers?.includes('tor1') !== false && (each.address.includes(':') ? hops.ipv6 : hops.ipv4),
          )
          .map(expectedRoute(hops));
        const learned = [...peer.reader.routes].map(([prefix, { nextHop, attributes }]) => [
          prefix,
          nextHop,
          attributes[4] ?? null,
          attributes[8] ?? null,
        ]);
        expect(learned.sort(byPrefix)).toEqual(expected.sort(byPrefix));
        expect(peer.rib.announced).toBe(expected.length);
        expect(peer.rib.isSettled('ipv4') && peer.rib.isSettled('ipv6')).toBe(true);
      }),
      runs(200),
    );
  });
});

type Row = readonly [IpAddress, ...unknown[]];

function byPrefix(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a[0]).localeCompare(String(b[0]));
}

function expectedRoute(hops: NextHops): (each: Route) => Row {
  return (each) => {
    const hop = each.address.includes(':') ? hops.ipv6 : hops.ipv4;
    const med = each.med === null ? null : `0000000${each.med}`;
    const communities = [...each.communities].sort().map((text) => `fde8000${text.slice(-1)}`);
    return [each.address, hop, med, communities.length === 0 ? null : communities.join('')];
  };
}
