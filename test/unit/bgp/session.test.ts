import { beforeEach, describe, expect, it } from 'vitest';
import { SessionBench } from '../../fakes/bgp-bench.ts';
import { address } from '../../fakes/bgp-settings.ts';
import * as w from '../../fakes/bgp-wire.ts';
import { ROUTE_REFRESH, UPDATE } from '../../vectors/bgp/captures.ts';

const CEASE = { code: 6, subcode: 2, data: new Uint8Array(0) };
const OPEN = 1;
const KEEPALIVE = 4;

let bench: SessionBench;
beforeEach(() => {
  bench = new SessionBench();
});

describe('coming up', () => {
  it('dials, opens, confirms, announces and ends the RIB', () => {
    bench.want('203.0.113.1', '2001:db8::1');
    bench.session.start();
    expect(bench.state).toBe('connect');
    expect(bench.connection.sent).toEqual([]);
    bench.connection.accept();
    expect(bench.connection.types).toEqual([OPEN]);
    bench.connection.receive(w.open());
    expect(bench.connection.types).toEqual([OPEN, KEEPALIVE]);
    expect(bench.state).toBe('openConfirm');
    bench.connection.receive(w.KEEPALIVE_HEX);
    expect([...bench.connection.reader.routes.keys()]).toEqual(['203.0.113.1', '2001:db8::1']);
    expect(bench.connection.reader.endOfRibs).toEqual(['ipv4', 'ipv6']);
    expect(bench.session.status()).toMatchObject({
      state: 'established',
      announced: 2,
      endOfRibSent: true,
      lastError: null,
      holdTimeMs: 9000,
      problems: [],
    });
  });

  it('works with an OPEN and a KEEPALIVE in one segment', () => {
    bench.session.start();
    bench.connection.accept();
    bench.connection.receive(w.open(), w.KEEPALIVE_HEX);
    expect(bench.state).toBe('established');
  });

  it('sends IPv4 alone, with two-octet AS numbers, to a peer without capabilities', () => {
    bench.want('203.0.113.1', '2001:db8::1');
    bench.establish(w.open({ parameters: '' }));
    expect([...bench.connection.reader.routes.keys()]).toEqual(['203.0.113.1']);
    expect(bench.connection.reader.routes.get(address('203.0.113.1'))?.attributes[2]).toBe('0201fde9');
    expect(bench.connection.reader.endOfRibs).toEqual(['ipv4']);
    expect(bench.session.status().problems).toEqual(['the peer did not negotiate IPv6 unicast']);
  });

  it('holds End-of-RIB back until it is released', () => {
    bench = new SessionBench({}, false);
    bench.want('203.0.113.1');
    bench.establish();
    expect(bench.connection.reader.routes.size).toBe(1);
    expect(bench.connection.reader.endOfRibs).toEqual([]);
    bench.want('203.0.113.1', '203.0.113.2');
    expect(bench.session.status().endOfRibSent).toBe(false);
    bench.session.releaseEndOfRib();
    expect(bench.connection.sent.slice(-2)).toEqual([UPDATE.endOfRibIpv4, UPDATE.endOfRibIpv6]);
    bench.session.releaseEndOfRib();
    expect(bench.connection.reader.endOfRibs).toEqual(['ipv4', 'ipv6']);
  });

  it('says R only on the first session after a restart', () => {
    bench.restarting = true;
    bench.establish();
    const offer = (restart: string): string => `400a${restart}0001018000020180`;
    expect(bench.connection.sent[0]).toContain(offer('801e'));
    bench.connection.close();
    bench.advance(1000);
    bench.connection.accept();
    expect(bench.connection.sent[0]).toContain(offer('001e'));
  });

  it('offers no graceful restart where it is switched off', () => {
    bench = new SessionBench({}, true, 0);
    bench.establish();
    expect(bench.connection.sent[0]).not.toContain('400a');
    expect(bench.session.keepsRoutesOverRestart).toBe(false);
  });
});

describe('timers', () => {
  it('sends KEEPALIVE at a third of the hold time, and ends the session after a silent hold time', () => {
    bench.establish();
    const before = bench.connection.sent.length;
    bench.advance(8999);
    expect(bench.connection.sent.slice(before)).toEqual([w.KEEPALIVE_HEX, w.KEEPALIVE_HEX]);
    bench.advance(1);
    expect(bench.connection.last).toBe(w.message(3, '0400'));
    expect(bench.connection.ended).toBe('finished');
    expect(bench.session.status()).toMatchObject({
      state: 'idle',
      flaps: 1,
      lastError: 'sent Hold Timer Expired (4/0)',
    });
  });

  it.each([
    ['KEEPALIVE', w.KEEPALIVE_HEX],
    ['UPDATE', w.update()],
  ])('takes a %s for a sign of life', (_, hex) => {
    bench.establish();
    for (let i = 0; i < 10; i++) {
      bench.advance(8000);
      bench.connection.receive(hex);
    }
    expect(bench.state).toBe('established');
  });

  it('does not take ROUTE-REFRESH for one', () => {
    bench.establish();
    bench.advance(8000);
    bench.connection.receive(ROUTE_REFRESH.requestIpv4);
    bench.advance(1000);
    expect(bench.state).toBe('idle');
  });

  it('reads what waits in the socket before it declares the hold time expired', () => {
    bench.establish();
    // Our own loop stood still: the timer is due and the saving message is there, unread.
    bench.clock.advance(20_000);
    expect(bench.state).toBe('established');
    bench.connection.receive(w.KEEPALIVE_HEX);
    bench.turn();
    expect(bench.state).toBe('established');
    bench.advance(9000);
    expect(bench.state).toBe('idle');
  });

  it('waits four minutes for an OPEN, and gives up a connection attempt after the retry time', () => {
    bench.session.start();
    bench.connection.accept();
    bench.advance(239_999);
    expect(bench.state).toBe('openSent');
    bench.advance(1);
    expect(bench.connection.last).toBe(w.message(3, '0400'));

    bench = new SessionBench();
    bench.session.start();
    const [first] = bench.network.connections;
    bench.advance(5000);
    expect(first?.ended).toBe('destroyed');
    expect(bench.network.connections).toHaveLength(2);
    expect(bench.session.status()).toMatchObject({ state: 'connect', lastError: 'TCP connection timed out' });
  });

  it('has no timers on a session without hold time', () => {
    bench.establish(w.open({ holdTimeS: 0 }));
    bench.connection.sent.length = 0;
    bench.advance(3_600_000);
    expect(bench.state).toBe('established');
    expect(bench.connection.sent).toEqual([]);
  });

  it('backs off as long as the peer refuses, and starts quickly again after a stable session', () => {
    bench.session.start();
    const gaps: number[] = [];
    for (let i = 0; i < 6; i++) {
      const count = bench.network.connections.length;
      bench.connection.close('connect ECONNREFUSED');
      let waited = 0;
      while (bench.network.connections.length === count) {
        bench.advance(100);
        waited += 100;
      }
      gaps.push(waited);
    }
    expect(gaps).toEqual([1000, 2000, 4000, 5000, 5000, 5000]);
    bench.establish();
    for (let i = 0; i < 10; i++) {
      bench.advance(7000);
      bench.connection.receive(w.KEEPALIVE_HEX);
    }
    bench.connection.close();
    const count = bench.network.connections.length;
    bench.advance(1000);
    expect(bench.network.connections).toHaveLength(count + 1);
  });
});

describe('the end of a session', () => {
  it('with a malformed UPDATE that RFC 7606 forgives is no end', () => {
    bench.establish();
    bench.connection.receive(w.update({ nlri: '21cb00710100' }), w.update());
    expect(bench.state).toBe('established');
    expect(bench.session.status().received).toBe(1);
  });

  it('comes with the NOTIFICATION that the error asks for, and nothing is read after it', () => {
    bench.establish();
    bench.connection.receive(w.message(9), w.KEEPALIVE_HEX);
    expect(bench.connection.last).toBe(w.message(3, '010309'));
    expect(bench.session.status()).toMatchObject({
      state: 'idle',
      lastError: 'sent Message Header Error / Bad Message Type (1/3): message type 9',
    });
    bench.connection.receive(w.KEEPALIVE_HEX);
    expect(bench.state).toBe('idle');
  });

  it("gives the peer's reason", () => {
    bench.establish();
    bench.connection.receive(w.message(3, '06020474657374'));
    expect(bench.session.status().lastError).toBe('received Cease / Administrative Shutdown (6/2): test');
    expect(bench.connection.ended).toBe('destroyed');
  });

  it('by a stop waits until the NOTIFICATION is delivered', async () => {
    bench.establish();
    let stopped = false;
    const stop = bench.session.stop(CEASE, 'stopped').then(() => (stopped = true));
    expect(bench.connection.last).toBe(w.message(3, '0602'));
    await Promise.resolve();
    expect(stopped).toBe(false);
    bench.connection.close();
    await stop;
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('for a restart says nothing', async () => {
    bench.establish();
    const { length } = bench.connection.sent;
    const stop = bench.session.stop(null, 'stopped for a restart');
    expect(bench.connection.sent).toHaveLength(length);
    expect(bench.connection.ended).toBe('destroyed');
    bench.connection.close();
    await stop;
  });

  it('by a late event of an old connection does not touch the new one', () => {
    bench.establish();
    const old = bench.connection;
    old.receive(w.message(9));
    bench.advance(1000);
    bench.connection.accept();
    old.close();
    old.receive(w.KEEPALIVE_HEX);
    expect(bench.state).toBe('openSent');
  });
});
