import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { route, speakerSettings } from '../fakes/bgp-settings.ts';
import { established, localSpeaker, peerOf, threadedSpeaker } from '../lab/bgp-speaker.ts';
import { Bird } from '../lab/bird.ts';
import { eventually } from '../lab/eventually.ts';

const EBGP = { asn: 65000, agentAddress: '127.0.0.2', agentAsn: 65001 };

const birds: Bird[] = [];
let speaker: Speaker | undefined;

afterEach(async () => {
  await speaker?.stop({ kind: 'restart' });
  for (const each of birds.splice(0)) await each.stop();
});

async function start(address: string): Promise<Bird> {
  const bird = await Bird.start({ address, ...EBGP });
  birds.push(bird);
  return bird;
}

async function count(bird: Bird, routes: number): Promise<void> {
  await eventually(`BIRD has ${routes} routes`, async () => (await bird.importedCount()) === routes);
}

/** Half of them of each family, in three groups of attributes. */
function many(total: number): ReturnType<typeof route>[] {
  return Array.from({ length: total }, (_, i) =>
    route(i % 2 === 0 ? `10.64.${i >> 8}.${i & 255}` : `2001:db8::1:${i.toString(16)}`, { med: i % 3 }),
  );
}

describe('ten thousand routes', () => {
  it('arrive, change, and go, all of them', async () => {
    const bird = await start('127.0.0.14');
    const threaded = threadedSpeaker();
    speaker = threaded;
    threaded.configure(speakerSettings({ peers: [peerOf(bird)] }));
    const routes = many(10_000);
    void threaded.setRoutes(routes, 5000);
    await count(bird, 10_000);
    expect(await threaded.setRoutes(routes.slice(0, 5000), 5000)).toEqual({ flushed: true });
    await count(bird, 5000);
    await threaded.setRoutes(many(10_001).slice(1), 5000);
    await count(bird, 10_000);
    expect(await threaded.setRoutes([], 5000)).toEqual({ flushed: true });
    await count(bird, 0);
    await eventually('the status follows', () => threaded.peers()[0]?.announced === 0);
  });
});

describe('several routers', () => {
  it('each get what is meant for them', async () => {
    const [first, second, third] = await Promise.all(['127.0.0.15', '127.0.0.16', '127.0.0.17'].map(start));
    if (first === undefined || second === undefined || third === undefined) throw new Error('three are meant');
    speaker = localSpeaker();
    const peers = [peerOf(first, { name: 'a' }), peerOf(second, { name: 'b' }), peerOf(third, { name: 'c' })];
    speaker.configure(speakerSettings({ peers }));
    await established(speaker);
    const everywhere = many(1000);
    await speaker.setRoutes([...everywhere, route('203.0.113.1', { peers: ['a', 'b'] })], 2000);
    await Promise.all([count(first, 1001), count(second, 1001), count(third, 1000)]);
    // One router less leaves the others alone.
    speaker.configure(speakerSettings({ peers: peers.slice(0, 2) }));
    await eventually('the third is left', async () => !(await third.isEstablished()));
    await count(third, 0);
    expect(speaker.peers().map((peer) => [peer.name, peer.state, peer.flaps])).toEqual([
      ['a', 'established', 0],
      ['b', 'established', 0],
    ]);
  });
});
