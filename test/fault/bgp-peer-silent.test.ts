import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { address, peerSettings, route, speakerSettings } from '../fakes/bgp-settings.ts';
import * as w from '../fakes/bgp-wire.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { ScriptedPeer } from '../lab/bgp-peer.ts';
import { clockedSpeaker, established } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';

const NOTIFICATION = 3;

let peer: ScriptedPeer | undefined;
let speaker: Speaker | undefined;

afterEach(async () => {
  await speaker?.stop({ kind: 'restart' });
  await peer?.stop();
});

async function start(
  clock: ManualClock,
  messages: readonly string[],
): Promise<{ peer: ScriptedPeer; speaker: Speaker }> {
  const listening = await ScriptedPeer.listen('127.0.0.23', (connection) => connection.send(...messages));
  const made = clockedSpeaker(clock);
  peer = listening;
  speaker = made;
  made.configure(speakerSettings({ peers: [peerSettings({ address: address('127.0.0.23'), port: listening.port })] }));
  void made.setRoutes([route('203.0.113.1')], 0);
  return { peer: listening, speaker: made };
}

const stateOf = (each: Speaker): string | undefined => each.peers()[0]?.state;

describe('a peer that falls silent', () => {
  it('before its OPEN is given four minutes', async () => {
    const clock = new ManualClock();
    const silent = await start(clock, []);
    await eventually('the OPEN is out', () => stateOf(silent.speaker) === 'openSent');
    await clock.advanceAsync(239_000);
    expect(stateOf(silent.speaker)).toBe('openSent');
    await clock.advanceAsync(1000);
    const connection = await silent.peer.connection(1);
    expect((await connection.received(NOTIFICATION)).slice(38)).toBe('0400');
  });

  it('before its KEEPALIVE is given the hold time', async () => {
    const clock = new ManualClock();
    const silent = await start(clock, [w.open()]);
    await eventually('its OPEN is in', () => stateOf(silent.speaker) === 'openConfirm');
    await clock.advanceAsync(9000);
    const connection = await silent.peer.connection(1);
    expect((await connection.received(NOTIFICATION)).slice(38)).toBe('0400');
  });

  it('when Established is given the hold time, and then tried again', async () => {
    const clock = new ManualClock();
    const silent = await start(clock, [w.open(), w.KEEPALIVE_HEX]);
    await established(silent.speaker);
    await clock.advanceAsync(8999);
    expect(stateOf(silent.speaker)).toBe('established');
    await clock.advanceAsync(1);
    const connection = await silent.peer.connection(1);
    expect((await connection.received(NOTIFICATION)).slice(38)).toBe('0400');
    expect(silent.speaker.peers()[0]).toMatchObject({ lastError: 'sent Hold Timer Expired (4/0)', flaps: 1 });
    await clock.advanceAsync(1000);
    await silent.peer.connection(2);
    await established(silent.speaker);
  });

  it('is not blamed when it was our own loop that stood still', async () => {
    const clock = new ManualClock();
    const alive = await start(clock, [w.open(), w.KEEPALIVE_HEX]);
    await established(alive.speaker);
    const connection = await alive.peer.connection(1);
    // Its KEEPALIVE reaches our kernel, and nobody reads it before the timer is due.
    connection.send(w.KEEPALIVE_HEX);
    const until = performance.now() + 50;
    while (performance.now() < until);
    clock.advance(20_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stateOf(alive.speaker)).toBe('established');
  });
});
