import { afterEach, describe, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { route, speakerSettings } from '../fakes/bgp-settings.ts';
import { established, learned, localSpeaker, peerOf } from '../lab/bgp-speaker.ts';
import { Bird } from '../lab/bird.ts';
import { eventually } from '../lab/eventually.ts';

let bird: Bird | undefined;
let speaker: Speaker | undefined;

afterEach(async () => {
  bird?.thaw();
  await speaker?.stop({ kind: 'restart' });
  await bird?.stop();
});

describe('a router', () => {
  it('that hangs is noticed after the hold time, and told everything once it is back', async () => {
    const router = await Bird.start({
      address: '127.0.0.26',
      asn: 65000,
      agentAddress: '127.0.0.2',
      agentAsn: 65001,
      holdTimeS: 3,
    });
    bird = router;
    speaker = localSpeaker();
    speaker.configure(speakerSettings({ peers: [peerOf(router, { holdTimeMs: 3000 })] }));
    void speaker.setRoutes([route('203.0.113.1')], 0);
    await learned(router, ['203.0.113.1/32']);
    router.freeze();
    await eventually('the session is given up', () => speaker?.peers()[0]?.flaps === 1);
    expect(speaker.peers()[0]?.lastError).toBe('sent Hold Timer Expired (4/0)');
    void speaker.setRoutes([route('203.0.113.2')], 0);
    router.thaw();
    await established(speaker);
    await learned(router, ['203.0.113.2/32']);
  });

  it('that is killed with kill -9 and replaced gets the whole table', async () => {
    const options = { address: '127.0.0.26', asn: 65000, agentAddress: '127.0.0.2', agentAsn: 65001 };
    const first = await Bird.start(options);
    bird = first;
    speaker = localSpeaker();
    speaker.configure(speakerSettings({ peers: [peerOf(first)] }));
    void speaker.setRoutes([route('203.0.113.1'), route('2001:db8::1')], 0);
    await learned(first, ['203.0.113.1/32', '2001:db8::1/128']);
    await first.stop();
    await eventually('the loss is noticed', () => speaker?.peers()[0]?.flaps === 1);
    const second = await Bird.start({ ...options, port: first.port });
    bird = second;
    await learned(second, ['203.0.113.1/32', '2001:db8::1/128']);
  });
});
