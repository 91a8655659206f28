import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { route, speakerSettings } from '../fakes/bgp-settings.ts';
import { established, learned, localSpeaker, peerOf, threadedSpeaker } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';
import type { LabRouter } from '../lab/router.ts';
import { ROUTER_KINDS, startRouter } from '../lab/routers.ts';

const PREFIXES = ['203.0.113.1/32', '203.0.113.2/32', '2001:db8::1/128'];
const ROUTES = [route('203.0.113.1'), route('203.0.113.2'), route('2001:db8::1')];

let router: LabRouter | undefined;
const speakers: Speaker[] = [];

afterEach(async () => {
  for (const each of speakers.splice(0)) await each.stop({ kind: 'restart' });
  await router?.stop();
  router = undefined;
});

/** Looks at the router again and again, and remembers the fewest routes that it ever had. */
class Watch {
  least = Infinity;
  #on = true;
  readonly #done: Promise<void>;

  constructor(tor: LabRouter) {
    this.#done = this.#look(tor);
  }

  async end(): Promise<number> {
    this.#on = false;
    await this.#done;
    return this.least;
  }

  async #look(tor: LabRouter): Promise<void> {
    while (this.#on) {
      this.least = Math.min(this.least, (await tor.routes()).size);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

describe.each(ROUTER_KINDS)('a restart of the agent, seen by %s', (kind) => {
  it('loses no route; what did not come back is gone with End-of-RIB, and not before', async () => {
    const tor = await startRouter(kind, {
      address: '127.0.0.12',
      asn: 65000,
      agentAddress: '127.0.0.2',
      agentAsn: 65001,
    });
    router = tor;
    const before = threadedSpeaker();
    speakers.push(before);
    before.configure(speakerSettings({ peers: [peerOf(tor)] }));
    await before.setRoutes(ROUTES, 1000);
    before.releaseEndOfRib();
    await learned(tor, PREFIXES);

    const watch = new Watch(tor);
    await before.stop({ kind: 'restart' });
    const after = localSpeaker();
    speakers.push(after);
    after.configure(speakerSettings({ restarting: true, peers: [peerOf(tor)] }));
    // The first verdicts are not in: one route is not known to be wanted yet.
    await after.setRoutes(ROUTES.slice(0, 2), 1000);
    await established(after);
    await eventually('the routes are announced', () => after.peers()[0]?.announced === 2);
    await after.setRoutes(ROUTES, 1000);
    after.releaseEndOfRib();
    await eventually('End-of-RIB is sent', () => after.peers()[0]?.endOfRibSent === true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await watch.end()).toBe(3);
    await learned(tor, PREFIXES);

    // Once more, and now a route really does not come back.
    await after.stop({ kind: 'restart' });
    const last = localSpeaker();
    speakers.push(last);
    await last.setRoutes(ROUTES.slice(1), 0);
    last.configure(speakerSettings({ restarting: true, peers: [peerOf(tor)] }));
    await established(last);
    await eventually('the routes are announced', () => last.peers()[0]?.announced === 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await tor.routes()).size).toBe(3);
    last.releaseEndOfRib();
    // GoBGP 3.10 takes its time over stale routes.
    await learned(tor, PREFIXES.slice(1), kind === 'gobgp' ? 40_000 : 5000);
  });
});
