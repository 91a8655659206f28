import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { address, peerSettings, route, speakerSettings } from '../fakes/bgp-settings.ts';
import * as w from '../fakes/bgp-wire.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { type PeerConnection, ScriptedPeer } from '../lab/bgp-peer.ts';
import { clockedSpeaker, established } from '../lab/bgp-speaker.ts';

const NOTIFICATION = 3;

let peer: ScriptedPeer | undefined;
let speaker: Speaker | undefined;

afterEach(async () => {
  await speaker?.stop({ kind: 'restart' });
  await peer?.stop();
});

async function start(
  clock: ManualClock,
  onConnection: (connection: PeerConnection, count: number) => void,
): Promise<ScriptedPeer> {
  peer = await ScriptedPeer.listen('127.0.0.21', onConnection);
  speaker = clockedSpeaker(clock);
  const settings = peerSettings({ address: address('127.0.0.21'), port: peer.port });
  speaker.configure(speakerSettings({ peers: [settings] }));
  void speaker.setRoutes([route('203.0.113.1')], 0);
  return peer;
}

const noise = Buffer.alloc(400, 0x5a).toString('hex');

/** What the peer says, in which state we are then, and what it hears from us. */
const CASES: readonly (readonly [string, readonly string[], string])[] = [
  ['noise instead of an OPEN', [noise], '0101'],
  ['HTTP', [Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n').toString('hex')], '0101'],
  ['an OPEN of another AS', [w.open({ asn: 1, parameters: '' })], '0202'],
  ['an UPDATE instead of an OPEN', [w.update()], '050102'],
  ['noise after its OPEN', [w.open(), noise], '0101'],
  ['an UPDATE before its KEEPALIVE', [w.open(), w.update()], '050202'],
  ['noise when Established', [w.open(), w.KEEPALIVE_HEX, noise], '0101'],
  ['an unknown message when Established', [w.open(), w.KEEPALIVE_HEX, w.message(77)], '01034d'],
  ['an UPDATE whose lengths lie', [w.open(), w.KEEPALIVE_HEX, w.update({ attributesLength: 999 })], '0301'],
  ['an OPEN when Established', [w.open(), w.KEEPALIVE_HEX, w.open()], '050301'],
];

describe('a peer that sends', () => {
  it.each(CASES)('%s is told what was wrong, and gets another chance', async (_, messages, told) => {
    const clock = new ManualClock();
    const bad = await start(clock, (connection, count) => {
      connection.send(...(count === 1 ? messages : [w.open(), w.KEEPALIVE_HEX]));
    });
    const first = await bad.connection(1);
    expect((await first.received(NOTIFICATION)).slice(38)).toBe(told);
    if (speaker === undefined) throw new Error('no speaker');
    await clock.advanceAsync(1000);
    await bad.connection(2);
    await established(speaker);
    expect(bad.connections).toHaveLength(2);
    expect(first.reset).toBe(false);
  });
});
