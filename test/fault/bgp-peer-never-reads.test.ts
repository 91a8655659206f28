import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { address, peerSettings, route, speakerSettings } from '../fakes/bgp-settings.ts';
import * as w from '../fakes/bgp-wire.ts';
import { ScriptedPeer } from '../lab/bgp-peer.ts';
import { established, localSpeaker } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';

let peer: ScriptedPeer | undefined;
let speaker: Speaker | undefined;
let talking: NodeJS.Timeout | undefined;

afterEach(async () => {
  clearInterval(talking);
  await speaker?.stop({ kind: 'restart' });
  await peer?.stop();
});

/** Far more octets than the kernel keeps for a reader that does not come: one UPDATE of a kilobyte for each route. */
const ROUTES = Array.from({ length: 6000 }, (_, i) => route(`10.64.${i >> 8}.${i & 255}`, { prepend: 254, med: i }));

describe('a peer that talks but does not read', () => {
  it('is reported as not flushed, costs no memory, and is dropped after twice the hold time', async () => {
    const deaf = await ScriptedPeer.listen('127.0.0.24', (connection) => connection.stopReading(), 4096);
    peer = deaf;
    speaker = localSpeaker();
    const settings = peerSettings({ address: address('127.0.0.24'), port: deaf.port, holdTimeMs: 3000 });
    speaker.configure(speakerSettings({ peers: [settings] }));
    const connection = await deaf.connection(1);
    connection.send(w.open({ holdTimeS: 3 }), w.KEEPALIVE_HEX);
    talking = setInterval(() => connection.send(w.KEEPALIVE_HEX), 500);
    await established(speaker);

    const before = process.memoryUsage().external;
    const start = performance.now();
    expect(await speaker.setRoutes(ROUTES, 1000)).toEqual({ flushed: false });
    expect(speaker.peers()[0]?.announced).toBeLessThan(ROUTES.length);
    expect(process.memoryUsage().external - before).toBeLessThan(64e6);

    await eventually('the session is dropped', () => speaker?.peers()[0]?.flaps === 1);
    expect(speaker.peers()[0]?.lastError).toBe('sent Send Hold Timer Expired (8/0)');
    const seconds = (performance.now() - start) / 1000;
    expect(seconds).toBeGreaterThan(5.5);
    // With the session gone there is nobody left to wait for.
    expect(await speaker.setRoutes([], 1000)).toEqual({ flushed: true });
  });
});
