import { networkInterfaces } from 'node:os';
import { dialTcp } from '../../src/bgp/connection.ts';
import type { PeerSettings, Speaker } from '../../src/bgp/port.ts';
import { BgpSpeaker } from '../../src/bgp/speaker.ts';
import { createSpeaker } from '../../src/bgp/worker-speaker.ts';
import { type Clock, type Log, silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { peerSettings } from '../fakes/bgp-settings.ts';
import { eventually } from './eventually.ts';
import type { LabRouter } from './router.ts';

/** A speaker on real sockets, in this thread. */
export function localSpeaker(log: Log = silentLog): Speaker {
  return new BgpSpeaker({
    clock: systemClock,
    random: Math.random,
    log,
    dial: dialTcp(systemClock),
    interfaces: networkInterfaces,
    defer: (run) => void setImmediate(run),
  });
}

/** A speaker on real sockets, whose timers are the test's: hours pass at once, octets take their time. */
export function clockedSpeaker(clock: Clock): Speaker {
  return new BgpSpeaker({
    clock,
    random: () => 0,
    log: silentLog,
    dial: dialTcp(clock),
    interfaces: networkInterfaces,
    defer: (run) => void setImmediate(run),
  });
}

/** A speaker on real sockets in a real worker. */
export function threadedSpeaker(log: Log = silentLog): Speaker {
  return createSpeaker({ clock: systemClock, random: Math.random, log });
}

/** The router as a peer, with retries that suit a test. */
export function peerOf(router: LabRouter, over: Partial<PeerSettings> = {}): PeerSettings {
  const { address, port, asn } = router;
  return peerSettings({ address, port, asn, connectRetryMs: 500, ...over });
}

export async function established(speaker: Speaker): Promise<void> {
  await eventually(
    'every session is established',
    () => speaker.peers().length > 0 && speaker.peers().every((peer) => peer.state === 'established'),
  );
}

/** Waits until the router has learned exactly these prefixes. */
export async function learned(router: LabRouter, prefixes: readonly string[], timeoutMs = 30_000): Promise<void> {
  const wanted = [...prefixes].sort().join(' ');
  await eventually(
    `${router.kind} has learned ${wanted}`,
    async () => [...(await router.routes()).keys()].sort().join(' ') === wanted,
    { timeoutMs },
  );
}
