import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { address, peerSettings, route, speakerSettings } from '../fakes/bgp-settings.ts';
import * as w from '../fakes/bgp-wire.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { type PeerConnection, ScriptedPeer } from '../lab/bgp-peer.ts';
import { clockedSpeaker, established } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';

const OPEN = 1;
const KEEPALIVE = 4;
const UPDATE = 2;
/** Longer than each of the first three waits, and not long enough for an attempt that follows one to be given up. */
const RETRY_MS = 5000;

let peer: ScriptedPeer | undefined;
let speaker: Speaker | undefined;

afterEach(async () => {
  await speaker?.stop({ kind: 'restart' });
  await peer?.stop();
});

const isWaiting = (each: Speaker | undefined): boolean => /^(idle|active)$/.test(each?.peers()[0]?.state ?? '');

type End = (connection: PeerConnection) => void;

const WAYS: readonly (readonly [string, End])[] = [
  ['closes', (connection) => connection.close()],
  ['resets', (connection) => connection.resetNow()],
];

/** How far the peer lets the session come before it goes. */
const STAGES: readonly (readonly [string, (connection: PeerConnection, end: End) => Promise<void>])[] = [
  [
    'as soon as it has accepted',
    (connection, end) => {
      end(connection);
      return Promise.resolve();
    },
  ],
  [
    'on our OPEN',
    async (connection, end) => {
      await connection.received(OPEN);
      end(connection);
    },
  ],
  [
    'on our first KEEPALIVE',
    async (connection, end) => {
      connection.send(w.open());
      await connection.received(KEEPALIVE);
      end(connection);
    },
  ],
  [
    'on our first UPDATE',
    async (connection, end) => {
      connection.send(w.open(), w.KEEPALIVE_HEX);
      await connection.received(UPDATE);
      end(connection);
    },
  ],
];

describe.each(STAGES)('a peer that goes %s', (_, stage) => {
  it.each(WAYS)('%s, is tried again and gets everything', async (_way, end) => {
    const failures: unknown[] = [];
    peer = await ScriptedPeer.listen('127.0.0.22', (connection, count) => {
      if (count <= 3) stage(connection, end).catch((error: unknown) => failures.push(error));
      else connection.send(w.open(), w.KEEPALIVE_HEX);
    });
    const clock = new ManualClock();
    speaker = clockedSpeaker(clock);
    const settings = peerSettings({ address: address('127.0.0.22'), port: peer.port, connectRetryMs: RETRY_MS });
    speaker.configure(speakerSettings({ peers: [settings] }));
    await speaker.setRoutes([route('203.0.113.1')], 0);
    for (let gone = 1; gone <= 3; gone++) {
      await peer.connection(gone);
      await eventually('it waits for another attempt', () => isWaiting(speaker));
      await clock.advanceAsync(RETRY_MS);
    }
    const last = await peer.connection(4);
    await established(speaker);
    await last.received(UPDATE);
    expect(failures).toEqual([]);
    expect(speaker.peers()[0]?.lastError).toMatch(/closed by the peer|ECONNRESET|EPIPE/);
  });
});

describe('a peer that is not there at all', () => {
  it('is tried until it is', async () => {
    peer = await ScriptedPeer.listen('127.0.0.22');
    const { port } = peer;
    await peer.stop();
    speaker = clockedSpeaker(new ManualClock());
    speaker.configure(speakerSettings({ peers: [peerSettings({ address: address('127.0.0.22'), port })] }));
    await eventually('the refusal is in the status', () => speaker?.peers()[0]?.lastError?.includes('ECONNREFUSED'));
    expect(speaker.peers()[0]?.flaps).toBe(0);
  });
});
