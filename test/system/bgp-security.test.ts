import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerSettings, Speaker } from '../../src/bgp/port.ts';
import { route, speakerSettings } from '../fakes/bgp-settings.ts';
import { established, learned, localSpeaker, peerOf } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';
import type { LabRouter, RouterOptions } from '../lab/router.ts';
import { ROUTER_KINDS, type RouterKind, startRouter } from '../lab/routers.ts';

let router: LabRouter | undefined;
const speakers: Speaker[] = [];

afterEach(async () => {
  for (const each of speakers.splice(0)) await each.stop({ kind: 'restart' });
  await router?.stop();
  router = undefined;
});

async function start(kind: RouterKind, over: Partial<RouterOptions>): Promise<LabRouter> {
  const options = { address: '127.0.0.13', asn: 65000, agentAddress: '127.0.0.2', agentAsn: 65001 };
  router = await startRouter(kind, { ...options, ...over });
  return router;
}

function speakerTo(tor: LabRouter, over: Partial<PeerSettings>): Speaker {
  const speaker = localSpeaker();
  speakers.push(speaker);
  speaker.configure(speakerSettings({ peers: [peerOf(tor, over)] }));
  return speaker;
}

/** The kernel drops every segment of the handshake. */
async function unanswered(speaker: Speaker): Promise<void> {
  await eventually('attempts time out', () => speaker.peers()[0]?.lastError === 'TCP connection timed out');
  await speaker.stop({ kind: 'restart' });
}

/** One side's kernel drops segments for their TTL, so that the router learns nothing. */
async function dropped(tor: LabRouter, over: Partial<PeerSettings>): Promise<void> {
  const before = ttlDrops();
  const speaker = speakerTo(tor, over);
  await speaker.setRoutes([route('203.0.113.1'), route('2001:db8::1')], 0);
  await eventually('segments are dropped for their TTL', () => ttlDrops() >= before + 2);
  // No word on the state: a router that is slow to set the limit on a connection that it accepts hears our OPEN, and
  // its KEEPALIVE in return is all that a session needs on our side.
  expect((await tor.routes()).size).toBe(0);
  await speaker.stop({ kind: 'restart' });
}

/** TcpExt TCPMinTTLDrop of /proc/net/netstat: a line of names, then a line of values. */
function ttlDrops(): number {
  const [names = [], values = []] = readFileSync('/proc/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('TCPMinTTLDrop')] ?? 0);
}

describe.each(ROUTER_KINDS)('%s', (kind) => {
  it('takes the right TCP-MD5 key and no other', async () => {
    const tor = await start(kind, { password: 's3cret' });
    for (const password of ['wrong', null]) await unanswered(speakerTo(tor, { password }));
    const speaker = speakerTo(tor, { password: 's3cret' });
    await speaker.setRoutes([route('203.0.113.1')], 0);
    await established(speaker);
    await learned(tor, ['203.0.113.1/32']);
  });

  it('takes a peer within the hops of GTSM and none that may be further away', async () => {
    const tor = await start(kind, { ttlSecurity: true });
    const speaker = speakerTo(tor, { ttlSecurityHops: 1 });
    await speaker.setRoutes([route('203.0.113.1')], 0);
    await established(speaker);
    await learned(tor, ['203.0.113.1/32']);
    await speaker.stop({ kind: 'stop', text: '' });
    await learned(tor, []);
    await dropped(tor, { ttl: 64 });
  });
});

describe('over IPv6', () => {
  it('the key and the hop limit are as good', async () => {
    const tor = await start('bird', { address: '::1', agentAddress: '::1', password: 's3cret', ttlSecurity: true });
    const local = { localAddress: tor.address };
    await unanswered(speakerTo(tor, { ...local, password: 'wrong', ttlSecurityHops: 1 }));
    const speaker = speakerTo(tor, { ...local, password: 's3cret', ttlSecurityHops: 1 });
    await speaker.setRoutes([route('2001:db8::1')], 0);
    await established(speaker);
    await learned(tor, ['2001:db8::1/128']);
    await speaker.stop({ kind: 'stop', text: '' });
    await learned(tor, []);
    await dropped(tor, { ...local, password: 's3cret', ttl: 64 });
  });
});

describe('our own side', () => {
  it('does not hear a router that sends with a lower TTL than GTSM allows', async () => {
    // BIRD without ttl security sends with the multihop default of 64.
    const tor = await start('bird', {});
    await dropped(tor, { ttlSecurityHops: 1 });
  });

  it.each([
    ['an address that is not ours', { localAddress: '192.0.2.77' as PeerSettings['localAddress'] }, 'EADDRNOTAVAIL'],
    ['a key that is too long', { password: 'x'.repeat(81) }, 'TCP-MD5 key has 81 octets'],
  ])('says why a socket cannot be made: %s', async (_, over, text) => {
    const tor = await start('bird', {});
    const speaker = speakerTo(tor, over);
    await eventually('the reason is in the status', () => speaker.peers()[0]?.lastError?.includes(text));
  });
});
