import { afterEach, describe, expect, it } from 'vitest';
import type { Route, Speaker } from '../../src/bgp/port.ts';
import { address, route, speakerSettings } from '../fakes/bgp-settings.ts';
import { Bird } from '../lab/bird.ts';
import { established, learned, localSpeaker, peerOf, threadedSpeaker } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';
import type { LabRouter, RouterOptions } from '../lab/router.ts';
import { ROUTER_KINDS, type RouterKind, startRouter } from '../lab/routers.ts';

/*
 * What real routers make of our announcements. Each listens on an address of its own in 127.0.0.0/8 and learns from
 * 127.0.0.2; next hops are documentation addresses, since routers refuse 127.0.0.0/8 there.
 */

const ATTRIBUTES: Partial<Route> = {
  med: 50,
  communities: ['65001:100', 'graceful-shutdown'],
  largeCommunities: ['65001:1:2', '4200000001:0:7'],
  prepend: 2,
};
const EBGP = { asn: 65000, agentAddress: '127.0.0.2', agentAsn: 65001 };

let router: LabRouter | undefined;
let speaker: Speaker | undefined;

afterEach(async () => {
  await speaker?.stop({ kind: 'restart' });
  await router?.stop();
  speaker = router = undefined;
});

async function start(kind: RouterKind, over: Partial<RouterOptions> = {}): Promise<LabRouter> {
  router = await startRouter(kind, { address: '127.0.0.11', ...EBGP, ...over });
  return router;
}

describe.each(ROUTER_KINDS)('%s', (kind) => {
  it('learns both families with every attribute, follows changes, and is left properly', async () => {
    const tor = await start(kind);
    speaker = threadedSpeaker();
    speaker.configure(speakerSettings({ peers: [peerOf(tor)] }));
    const routes = [route('203.0.113.1', ATTRIBUTES), route('203.0.113.2'), route('2001:db8::1', ATTRIBUTES)];
    void speaker.setRoutes(routes, 1000);
    speaker.releaseEndOfRib();
    await learned(tor, ['203.0.113.1/32', '203.0.113.2/32', '2001:db8::1/128']);
    const found = await tor.routes();
    const labelled = {
      med: 50,
      communities: ['65001:100', '65535:0'],
      largeCommunities: ['65001:1:2', '4200000001:0:7'],
      asPath: [65001, 65001, 65001],
    };
    const gracefulShutdown = (texts: readonly string[]): string[] =>
      texts.map((each) => each.replace(/^(gshut|graceful-shutdown)$/i, '65535:0'));
    for (const [prefix, nextHop] of [
      ['203.0.113.1/32', '198.51.100.2'],
      ['2001:db8::1/128', 'fd00:5::2'],
    ] as const) {
      const learnedRoute = found.get(prefix);
      expect({ ...learnedRoute, communities: gracefulShutdown(learnedRoute?.communities ?? []) }).toMatchObject({
        ...labelled,
        nextHop,
      });
    }
    expect(found.get('203.0.113.2/32')).toMatchObject({ communities: [], largeCommunities: [], asPath: [65001] });

    // One is withdrawn, one changes, one comes.
    const flushed = await speaker.setRoutes(
      [route('203.0.113.1', { med: 70 }), route('2001:db8::1', ATTRIBUTES), route('2001:db8::2')],
      2000,
    );
    expect(flushed).toEqual({ flushed: true });
    await learned(tor, ['203.0.113.1/32', '2001:db8::1/128', '2001:db8::2/128']);
    expect((await tor.routes()).get('203.0.113.1/32')).toMatchObject({ med: 70, communities: [], asPath: [65001] });

    await eventually('the status is complete', () => speaker?.peers()[0]?.endOfRibSent === true);
    expect(speaker.peers()[0]).toMatchObject({ state: 'established', announced: 3, lastError: null, problems: [] });

    await speaker.stop({ kind: 'stop', text: 'maintenance CHG-1234' });
    await learned(tor, []);
    await eventually('the text has arrived', () => tor.log().includes('maintenance CHG-1234'));
  });

  it('speaks over IPv6 with both families', async () => {
    const tor = await start(kind, { address: '::1', agentAddress: '::1' });
    speaker = localSpeaker();
    speaker.configure(speakerSettings({ peers: [peerOf(tor, { localAddress: address('::1') })] }));
    await speaker.setRoutes([route('203.0.113.1'), route('2001:db8::1')], 1000);
    await established(speaker);
    await learned(tor, ['203.0.113.1/32', '2001:db8::1/128']);
    expect((await tor.routes()).get('203.0.113.1/32')?.nextHop).toBe('198.51.100.2');
  });
});

describe('BIRD as an internal peer', () => {
  it('gets LOCAL_PREF and an empty AS path', async () => {
    const tor = await start('bird', { asn: 65001 });
    speaker = localSpeaker();
    speaker.configure(speakerSettings({ peers: [peerOf(tor)] }));
    await speaker.setRoutes([route('203.0.113.1', { localPref: 300 }), route('2001:db8::1', { prepend: 3 })], 0);
    await learned(tor, ['203.0.113.1/32', '2001:db8::1/128']);
    const found = await tor.routes();
    expect(found.get('203.0.113.1/32')).toMatchObject({ localPref: 300, asPath: [] });
    expect(found.get('2001:db8::1/128')).toMatchObject({ localPref: 100, asPath: [] });
  });
});

describe('a four-octet AS', () => {
  it('arrives whole', async () => {
    const tor = await start('frr', { agentAsn: 4_200_000_001 });
    speaker = localSpeaker();
    speaker.configure(speakerSettings({ asn: 4_200_000_001, peers: [peerOf(tor)] }));
    await speaker.setRoutes([route('203.0.113.1', { prepend: 1 })], 0);
    await learned(tor, ['203.0.113.1/32']);
    expect((await tor.routes()).get('203.0.113.1/32')?.asPath).toEqual([4_200_000_001, 4_200_000_001]);
  });
});

describe('route refresh', () => {
  it('brings BIRD the table again without losing a route', async () => {
    const bird = await Bird.start({ address: '127.0.0.11', ...EBGP });
    router = bird;
    speaker = localSpeaker();
    speaker.configure(speakerSettings({ peers: [peerOf(bird)] }));
    const prefixes = Array.from({ length: 2000 }, (_, i) => `10.64.${i >> 8}.${i & 255}`);
    await speaker.setRoutes(
      prefixes.map((each) => route(each)),
      0,
    );
    speaker.releaseEndOfRib();
    await eventually('all are there', async () => (await bird.importedCount()) === 2000);
    await bird.command('reload in agent');
    let least = Infinity;
    // BIRD counts received updates: twice the table means that the refresh is through.
    await eventually('the table was sent again', async () => {
      const status = await bird.command('show protocols all agent');
      least = Math.min(least, await bird.importedCount());
      const counts = [...status.matchAll(/Import updates:\s+(\d+)/g)].map((match) => Number(match[1]));
      return Math.max(...counts) >= 4000;
    });
    expect(least).toBe(2000);
    expect(await bird.isEstablished()).toBe(true);
  });
});
