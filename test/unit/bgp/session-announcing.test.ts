import { beforeEach, describe, expect, it } from 'vitest';
import { SessionBench } from '../../fakes/bgp-bench.ts';
import { address, peerSettings } from '../../fakes/bgp-settings.ts';
import * as w from '../../fakes/bgp-wire.ts';
import { ROUTE_REFRESH } from '../../vectors/bgp/captures.ts';

const UPDATE_TYPE = 2;

let bench: SessionBench;
beforeEach(() => {
  bench = new SessionBench();
});

describe('a peer that does not read', () => {
  it('gets 8/0 after twice the hold time, although it goes on talking', () => {
    bench.establish();
    bench.connection.blocked = true;
    bench.want('203.0.113.1');
    for (let i = 0; i < 5; i++) {
      bench.advance(3000);
      bench.connection.receive(w.KEEPALIVE_HEX);
    }
    expect(bench.state).toBe('established');
    bench.advance(3000);
    expect(bench.connection.last).toBe(w.message(3, '0800'));
    expect(bench.session.status().lastError).toBe('sent Send Hold Timer Expired (8/0)');
  });

  it('is left alone while it makes progress', () => {
    bench.establish();
    for (let i = 0; i < 10; i++) {
      bench.connection.blocked = true;
      bench.want(`203.0.113.${i}`);
      bench.advance(8000);
      bench.connection.receive(w.KEEPALIVE_HEX);
      bench.connection.unblock();
    }
    expect(bench.state).toBe('established');
  });

  it('costs no memory beyond the high-water mark, and then hears only the newest state', () => {
    bench.establish();
    bench.connection.blocked = true;
    const many = (third: number): string[] =>
      Array.from({ length: 40_000 }, (_, i) => `10.${third}.${i >> 8}.${i & 255}`);
    bench.want(...many(1));
    const waiting = bench.connection.buffered;
    expect(waiting).toBeLessThan(256 * 1024);
    bench.want(...many(2));
    bench.want(...many(3));
    expect(bench.connection.buffered).toBe(waiting);
    bench.connection.unblock();
    bench.turn();
    const told = [...bench.connection.reader.routes.keys()];
    expect(told).toHaveLength(40_000);
    expect(told.every((each) => each.startsWith('10.3.'))).toBe(true);
  });

  it('is not sent KEEPALIVEs on top of what waits', () => {
    bench.establish();
    bench.connection.blocked = true;
    bench.want('203.0.113.1');
    const { length } = bench.connection.sent;
    bench.advance(8000);
    expect(bench.connection.sent).toHaveLength(length);
  });
});

describe('route refresh', () => {
  it('is answered with the table between its marks', () => {
    bench.want('203.0.113.1', '2001:db8::1');
    bench.establish();
    bench.connection.sent.length = 0;
    bench.connection.receive(ROUTE_REFRESH.requestIpv4);
    expect(bench.connection.sent[0]).toBe(ROUTE_REFRESH.birdBeginningIpv4);
    expect(bench.connection.types[1]).toBe(UPDATE_TYPE);
    expect(bench.connection.sent[2]).toBe(ROUTE_REFRESH.birdEndIpv4);
    expect(bench.connection.sent).toHaveLength(3);
  });

  it('is answered without marks to a peer that does not know them', () => {
    bench.want('203.0.113.1');
    bench.establish(w.open({ parameters: w.parameter(2, w.FOUR_OCTET_AS + w.ROUTE_REFRESH) }));
    bench.connection.sent.length = 0;
    bench.connection.receive(ROUTE_REFRESH.requestIpv4);
    expect(bench.connection.types).toEqual([UPDATE_TYPE]);
  });

  it('cannot be used to fill our memory', () => {
    bench.want('203.0.113.1');
    bench.establish();
    bench.connection.blocked = true;
    bench.connection.receive(ROUTE_REFRESH.requestIpv4.repeat(5000));
    bench.turn();
    expect(bench.connection.buffered).toBeLessThan(256 * 1024);
    bench.connection.receive(ROUTE_REFRESH.requestIpv4.repeat(5000));
    bench.turn();
    expect(bench.connection.buffered).toBeLessThan(256 * 1024);
  });

  it('for a family that was not negotiated is ignored', () => {
    bench.establish(w.open({ parameters: '' }));
    const { length } = bench.connection.sent;
    bench.connection.receive(ROUTE_REFRESH.requestIpv6);
    expect(bench.connection.sent).toHaveLength(length);
  });
});

describe('next hops', () => {
  const onLoopback = { nextHopIpv4: null, nextHopIpv6: null };

  it('that no router takes are not sent, and the status says why', () => {
    bench = new SessionBench(onLoopback);
    bench.want('203.0.113.1', '2001:db8::1');
    bench.establish();
    expect(bench.connection.reader.updates).toBe(2);
    expect(bench.connection.reader.endOfRibs).toEqual(['ipv4', 'ipv6']);
    expect(bench.session.status()).toMatchObject({
      announced: 0,
      problems: [
        "no next hop for IPv4: the session's address 127.0.0.2 is a loopback address",
        'no next hop for IPv6: the interface of 127.0.0.2 has no usable IPv6 address, and none is configured',
      ],
    });
  });

  it('are nobody’s problem for a family without routes', () => {
    bench = new SessionBench({ nextHopIpv6: null });
    bench.want('203.0.113.1');
    bench.establish();
    expect(bench.session.status().problems).toEqual([]);
    bench.want('203.0.113.1', '2001:db8::1');
    expect(bench.session.status().problems).toHaveLength(1);
  });

  it('can be given to a running session', () => {
    bench = new SessionBench(onLoopback);
    bench.want('203.0.113.1');
    bench.establish();
    bench.session.peerChanged(peerSettings());
    expect(bench.connection.reader.routes.get(address('203.0.113.1'))?.nextHop).toBe('198.51.100.2');
    expect(bench.session.status().problems).toEqual([]);
  });

  it('that become a VIP are given up, with everything that was announced through them', () => {
    bench.want('203.0.113.1');
    bench.establish();
    bench.want('203.0.113.1', '198.51.100.2');
    expect(bench.connection.reader.routes.size).toBe(0);
    expect(bench.session.status().problems[0]).toContain('198.51.100.2 is itself an announced route');
    bench.want('203.0.113.1');
    expect(bench.connection.reader.routes.size).toBe(1);
    expect(bench.session.status().problems).toEqual([]);
  });
});
