import type { PeerSettings, SpeakerSettings } from '../../bgp/port.ts';
import type { CodedError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';
import type { IpAddress } from '../../model/address.ts';
import type { DesiredBgp, DesiredPeer } from './desired-state.ts';

export interface BgpSurroundings {
  /** What `routerId: auto` stands for; null = the host has no IPv4 address that could be one. */
  readonly routerId: IpAddress | null;
  /** An earlier process left without saying goodbye, and the kernel went on forwarding. */
  readonly restarting: boolean;
  readonly resolveSecret: (reference: string) => Result<string, CodedError>;
}

export interface BgpOutcome {
  /** null = no BGP. */
  readonly settings: SpeakerSettings | null;
  /** Why something that is wanted is not in the settings. */
  readonly failures: readonly string[];
}

/** What the speaker needs, with secrets resolved. A peer whose secret cannot be read is left out, and said so. */
export function bgpSettings(bgp: DesiredBgp | null, surroundings: BgpSurroundings): BgpOutcome {
  if (bgp === null) return { settings: null, failures: [] };
  const routerId = bgp.routerId === 'auto' ? surroundings.routerId : bgp.routerId;
  if (routerId === null) {
    const failure =
      'bgp.routerId is "auto", but the host has no global IPv4 address: set an address in the agent record';
    return { settings: null, failures: [failure] };
  }
  const failures: string[] = [];
  const peers: PeerSettings[] = [];
  for (const peer of Object.values(bgp.peers)) {
    const password = peer.passwordReference === null ? null : surroundings.resolveSecret(peer.passwordReference);
    if (password !== null && !password.ok) failures.push(`peer ${peer.name}: ${password.error.message}`);
    else peers.push(peerSettings(peer, bgp, password === null ? null : password.value));
  }
  const { asn, gracefulRestartMs } = bgp;
  return { settings: { asn, routerId, gracefulRestartMs, restarting: surroundings.restarting, peers }, failures };
}

function peerSettings(peer: DesiredPeer, bgp: DesiredBgp, password: string | null): PeerSettings {
  return {
    name: peer.name,
    address: peer.address,
    port: peer.port,
    asn: peer.asn,
    password,
    ttlSecurityHops: peer.ttlSecurityHops,
    ttl: peer.ttl,
    localAddress: peer.localAddress,
    nextHopIpv4: peer.nextHopIpv4,
    nextHopIpv6: peer.nextHopIpv6,
    holdTimeMs: peer.holdTimeMs,
    connectRetryMs: bgp.connectRetryMs,
  };
}
