import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerSettings, SpeakerSettings } from '../../../src/bgp/port.ts';
import { BgpSpeaker } from '../../../src/bgp/speaker.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { type FakeConnection, FakeNetwork } from '../../fakes/bgp-network.ts';
import { address, peerSettings, route, speakerSettings } from '../../fakes/bgp-settings.ts';
import * as w from '../../fakes/bgp-wire.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';

const TOR2 = peerSettings({ name: 'tor2', address: address('127.0.0.12') });

let clock: ManualClock;
let network: FakeNetwork;
let speaker: BgpSpeaker;

beforeEach(() => {
  clock = new ManualClock();
  network = new FakeNetwork();
  speaker = new BgpSpeaker({
    clock,
    random: () => 0,
    log: silentLog,
    dial: network.dial,
    interfaces: () => ({}),
    defer: (run) => void setImmediate(run),
  });
});

function configure(peers: readonly PeerSettings[], over: Partial<SpeakerSettings> = {}): void {
  speaker.configure(speakerSettings({ peers, ...over }));
}

function establish(connection: FakeConnection): FakeConnection {
  connection.accept();
  connection.receive(w.open(), w.KEEPALIVE_HEX);
  return connection;
}

function up(...peers: PeerSettings[]): FakeConnection[] {
  configure(peers.length === 0 ? [peerSettings()] : peers);
  return network.connections.map(establish);
}

function one(connections: readonly FakeConnection[]): FakeConnection {
  const [first] = connections;
  if (first === undefined) throw new Error('no connection');
  return first;
}

describe('routes', () => {
  it('go to every established peer and are flushed once the kernel has them acknowledged', async () => {
    const [first, second] = up(peerSettings(), TOR2);
    if (first === undefined || second === undefined) throw new Error('two peers are meant');
    first.inFlight = 50;
    let outcome: { flushed: boolean } | undefined;
    const flushing = speaker.setRoutes([route('203.0.113.1')], 1000).then((result) => (outcome = result));
    expect(first.reader.routes.size).toBe(1);
    expect(second.reader.routes.size).toBe(1);
    await clock.advanceAsync(500);
    expect(outcome).toBeUndefined();
    first.inFlight = 0;
    await clock.advanceAsync(10);
    await flushing;
    expect(outcome).toEqual({ flushed: true });
  });

  it('are reported as not flushed when a peer does not take them in time', async () => {
    const connection = one(up());
    connection.blocked = true;
    const flushing = speaker.setRoutes([route('203.0.113.1')], 100);
    await clock.advanceAsync(100);
    expect(await flushing).toEqual({ flushed: false });
  });

  it('need not wait for peers that are not up, nor for one that goes down meanwhile', async () => {
    configure([peerSettings(), TOR2]);
    expect(await speaker.setRoutes([route('203.0.113.1')], 1000)).toEqual({ flushed: true });
    const connection = establish(one(network.connections));
    connection.blocked = true;
    const flushing = speaker.setRoutes([], 1000);
    connection.close();
    await clock.advanceAsync(10);
    expect(await flushing).toEqual({ flushed: true });
  });
});

describe('settings', () => {
  it('leave unchanged peers alone', () => {
    const [first] = up(peerSettings(), TOR2);
    configure([{ ...peerSettings() }, { ...TOR2, holdTimeMs: 30_000 }], { restarting: true });
    expect(first?.ended).toBeNull();
    expect(speaker.peers()[0]?.state).toBe('established');
  });

  it('take effect on a running session where they can', () => {
    const connection = one(up());
    void speaker.setRoutes([route('203.0.113.1')], 0);
    configure([peerSettings({ nextHopIpv4: address('198.51.100.9'), connectRetryMs: 9999 })]);
    expect(connection.ended).toBeNull();
    expect(connection.reader.routes.get(address('203.0.113.1'))?.nextHop).toBe('198.51.100.9');
  });

  it('that need a new session keep the routes at a peer that can restart gracefully', async () => {
    const connection = one(up());
    configure([peerSettings({ password: 'new' })]);
    expect(connection.ended).toBe('destroyed');
    expect(connection.types).not.toContain(3);
    expect(network.connections).toHaveLength(1);
    connection.close();
    await settle();
    expect(network.connection.target.password).toBe('new');
  });

  it.each<[string, Partial<PeerSettings>, Partial<SpeakerSettings>]>([
    ['another address', { address: address('127.0.0.99') }, {}],
    ['another port', { port: 1179 }, {}],
    ['another AS of the peer', { asn: 65099 }, {}],
    ['another AS of ours', {}, { asn: 65099 }],
    ['another identifier', {}, { routerId: address('10.0.0.3') }],
  ])('that make us somebody else say Cease: %s', async (_, peer, over) => {
    const connection = one(up());
    configure([peerSettings(peer)], over);
    expect(connection.last).toBe(w.message(3, '0606'));
    connection.close();
    await settle();
    expect(network.connections).toHaveLength(2);
  });

  it('without a peer tell it so, and its routes are gone', () => {
    const connection = one(up());
    configure([]);
    expect(connection.last).toBe(w.message(3, '0603'));
    expect(speaker.peers()).toEqual([]);
  });

  it('null stop all sessions, and later ones start them with the routes of then', async () => {
    const connection = one(up());
    speaker.configure(null);
    expect(connection.last).toBe(w.message(3, '0603'));
    await speaker.setRoutes([route('203.0.113.7')], 0);
    configure([peerSettings()]);
    expect(network.connections).toHaveLength(1);
    connection.close();
    await settle();
    expect([...establish(network.connection).reader.routes.keys()]).toEqual(['203.0.113.7']);
  });

  it('of a peer that comes and goes never lead to two connections to it', async () => {
    up();
    for (let i = 0; i < 5; i++) {
      configure([]);
      configure([peerSettings({ holdTimeMs: 10_000 + i * 1000 })]);
    }
    expect(network.connections).toHaveLength(1);
    network.connection.close();
    await settle();
    await settle();
    expect(network.connections).toHaveLength(2);
  });
});

describe('restart', () => {
  const restartFlags = (connection: FakeConnection): string =>
    /400a(....)/.exec(one([connection]).sent[0] ?? '')?.[1] ?? '';

  it('is announced on sessions within the restart time', () => {
    configure([peerSettings()], { restarting: true });
    clock.advance(29_000);
    network.connection.accept();
    expect(restartFlags(network.connection)).toBe('801e');
  });

  it('is no longer true afterwards', () => {
    configure([peerSettings()], { restarting: true });
    clock.advance(31_000);
    network.connection.accept();
    expect(restartFlags(network.connection)).toBe('001e');
  });

  it('is read from the first settings only', () => {
    configure([], { restarting: false });
    configure([peerSettings()], { restarting: true });
    network.connection.accept();
    expect(restartFlags(network.connection)).toBe('001e');
  });

  it('by stop closes without a word and without withdrawing', async () => {
    const connection = one(up());
    await speaker.setRoutes([route('203.0.113.1')], 0);
    const { length } = connection.sent;
    const stopped = speaker.stop({ kind: 'restart' });
    connection.close();
    await stopped;
    expect(connection.sent).toHaveLength(length);
    expect(connection.ended).toBe('destroyed');
  });
});

describe('stop', () => {
  it('withdraws, waits for the flush, says Cease with the text, and closes', async () => {
    const connection = one(up());
    await speaker.setRoutes([route('203.0.113.1'), route('2001:db8::1')], 0);
    connection.inFlight = 1;
    let done = false;
    const stopped = speaker.stop({ kind: 'stop', text: 'upgrade' }).then(() => (done = true));
    expect(connection.reader.routes.size).toBe(0);
    expect(connection.types.at(-1)).toBe(2);
    connection.inFlight = 0;
    await clock.advanceAsync(10);
    expect(connection.last).toBe(w.message(3, '0602' + '07' + Buffer.from('upgrade').toString('hex')));
    expect(done).toBe(false);
    connection.close();
    await stopped;
    expect(network.connections).toHaveLength(1);
  });

  it('does not wait for ever for a peer that does not read', async () => {
    const connection = one(up());
    await speaker.setRoutes([route('203.0.113.1')], 0);
    connection.blocked = true;
    const stopped = speaker.stop({ kind: 'stop', text: '' });
    await clock.advanceAsync(3000);
    expect(connection.ended).toBe('finished');
    connection.close();
    await stopped;
  });

  it('is final', async () => {
    up();
    const stopped = speaker.stop({ kind: 'restart' });
    network.connection.close();
    await stopped;
    configure([peerSettings(), TOR2]);
    expect(await speaker.setRoutes([route('203.0.113.1')], 10)).toEqual({ flushed: false });
    await clock.advanceAsync(600_000);
    expect(network.connections).toHaveLength(1);
    await speaker.stop({ kind: 'stop', text: 'again' });
  });

  it('waits for sessions that were closing anyway', async () => {
    const connection = one(up());
    configure([]);
    let done = false;
    const stopped = speaker.stop({ kind: 'stop', text: '' }).then(() => (done = true));
    await clock.advanceAsync(10);
    expect(done).toBe(false);
    connection.close();
    await stopped;
  });
});

describe('the status', () => {
  it('pokes once for each burst of changes, and lets the listener call back', async () => {
    let pokes = 0;
    const unsubscribe = speaker.onChange(() => {
      pokes++;
      void speaker.setRoutes([route('203.0.113.1', { med: pokes })], 0);
    });
    up();
    expect(pokes).toBe(0);
    await settle();
    expect(pokes).toBe(1);
    expect(network.connection.reader.routes.size).toBe(1);
    await settle();
    network.connection.close();
    await settle();
    const before = pokes;
    expect(before).toBeGreaterThan(1);
    unsubscribe();
    await clock.advanceAsync(1000);
    expect(pokes).toBe(before);
  });

  it('names routes that cannot be encoded at every peer', async () => {
    up();
    await speaker.setRoutes([route('203.0.113.1', { communities: ['nonsense'] })], 0);
    expect(speaker.peers()[0]?.problems).toEqual(['203.0.113.1 is not announced: community "nonsense"']);
  });
});
