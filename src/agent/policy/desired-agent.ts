import { canonicalAddress, familyOf } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import { durationMs } from '../../model/duration.ts';
import { mergePatch } from '../../model/merge-patch.ts';
import { DEFAULT_AGENT } from '../../model/paths.ts';
import type { Problem, ProblemEffect } from '../../model/problem.ts';
import type { AgentPatch, RecordSet } from '../../model/record-set.ts';
import { AgentSettings } from '../../model/records/agent.ts';
import type { BgpRecord, PeerRecord } from '../../model/records/agent.ts';
import type { FieldProblem } from '../../model/validate.ts';
import { validatorOf } from '../../model/validate.ts';
import type { DesiredAgent, DesiredBgp, DesiredPeer } from './desired-state.ts';
import { mapNamed } from './desired-state.ts';
import { desiredKernel, kernelFaults } from './desired-kernel.ts';
import { WHOLE_SECONDS, finding, within } from './findings.ts';

const validate = validatorOf(AgentSettings);

interface Source {
  readonly path: string;
  readonly patch: AgentPatch;
}

interface Attempt {
  readonly agent: DesiredAgent | null;
  readonly faults: readonly FieldProblem[];
}

/**
 * The settings of one agent: its record merged over `_default` (RFC 7396), validated after the merge. Settings that
 * are wrong leave the last good ones in force; where there were none, `_default` alone, then what is built in.
 */
export function desiredAgent(
  name: string,
  records: RecordSet['agents'],
  previous: DesiredAgent | null,
): { readonly agent: DesiredAgent; readonly problems: readonly Problem[] } {
  const sources: Source[] = [];
  for (const record of [records.get(DEFAULT_AGENT), records.get(name)]) {
    if (record !== undefined) sources.push({ path: record.path, patch: record.value });
  }
  const merged = attempt(name, sources);
  if (merged.agent !== null) return { agent: merged.agent, problems: [] };
  const lastGood = previous?.name === name ? previous : null;
  const effect: ProblemEffect = lastGood === null ? 'ignored' : 'last good version stays';
  const problems = merged.faults.map((fault) => ({ path: pathOf(fault.field, sources), ...fault, effect }));
  const fallbacks = [sources.filter(({ path }) => path.endsWith(`/${DEFAULT_AGENT}`)), []];
  let agent = lastGood;
  for (const fallback of fallbacks) agent ??= attempt(name, fallback).agent;
  if (agent === null) throw new Error('the built-in settings of an agent are not valid');
  return { agent, problems };
}

function attempt(name: string, sources: readonly Source[]): Attempt {
  let merged: unknown = {};
  for (const { patch } of sources) merged = mergePatch(merged, patch);
  const settings = validate(merged);
  if (!settings.ok) return { agent: null, faults: settings.error };
  const faults = settingsFaults(settings.value);
  if (faults.length > 0) return { agent: null, faults };
  return { agent: normalised(name, sources, settings.value), faults };
}

/** The record that a field of the merged settings came from: the one that holds more of its path, the agent's own first. */
function pathOf(field: string, sources: readonly Source[]): string {
  const parts = field.split(/[.[\]]+/).filter((part) => part !== '');
  const depth = (patch: unknown): number => {
    let at = patch;
    let found = 0;
    for (const part of parts) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) break;
      at = (at as Record<string, unknown>)[part];
      found++;
    }
    return found;
  };
  let best = sources.at(-1);
  for (const source of sources) if (best !== undefined && depth(source.patch) > depth(best.patch)) best = source;
  return best?.path ?? 'config/agents';
}

function settingsFaults(settings: AgentSettings): FieldProblem[] {
  const faults = [
    ...within('limits.window', settings.limits.window, '1s', '30d'),
    ...within('verifyInterval', settings.verifyInterval, '1s', '1d'),
    ...within('drainTimeout', settings.drainTimeout, '0s', '30d'),
    ...kernelFaults(settings.kernel),
  ];
  if (settings.bgp !== null) faults.push(...bgpFaults(settings.bgp));
  return faults;
}

function bgpFaults(bgp: BgpRecord): FieldProblem[] {
  const faults = [
    ...holdTimeFaults('bgp.holdTime', bgp.holdTime),
    ...within('bgp.connectRetry', bgp.connectRetry, '100ms', '1h'),
    ...within('bgp.gracefulRestart', bgp.gracefulRestart, '0s', '4095s', WHOLE_SECONDS),
  ];
  // RFC 6286 section 2.1: any identifier but zero.
  if (bgp.routerId === '0.0.0.0')
    faults.push(finding('bgp.routerId', bgp.routerId, '"auto" or an address but 0.0.0.0'));
  const byEndpoint = new Map<string, string>();
  for (const [name, peer] of Object.entries(bgp.peers)) {
    const field = `bgp.peers.${name}`;
    faults.push(...peerFaults(field, peer));
    const endpoint = `${canonicalAddress(peer.address)} port ${peer.port}`;
    const other = byEndpoint.get(endpoint);
    if (other !== undefined) {
      faults.push(finding(`${field}.address`, peer.address, `another address or port than peer "${other}" has`));
    }
    byEndpoint.set(endpoint, name);
  }
  return faults;
}

function peerFaults(field: string, peer: PeerRecord): FieldProblem[] {
  const faults: FieldProblem[] = [];
  const family = familyOf(canonicalAddress(peer.address));
  if (peer.ttlSecurity !== undefined && peer.multihop !== undefined) {
    const allowed = 'ttlSecurity or multihop: the one asks for near packets, the other sends to far peers';
    faults.push(finding(`${field}.multihop`, peer.multihop, allowed));
  }
  if (peer.localAddress !== undefined && familyOf(canonicalAddress(peer.localAddress)) !== family) {
    faults.push(finding(`${field}.localAddress`, peer.localAddress, `an ${family} address, as the peer's`));
  }
  if (peer.nextHopIpv6 !== undefined && familyOf(canonicalAddress(peer.nextHopIpv6)) !== 'ipv6') {
    faults.push(finding(`${field}.nextHopIpv6`, peer.nextHopIpv6, 'an ipv6 address'));
  }
  if (peer.holdTime !== undefined) faults.push(...holdTimeFaults(`${field}.holdTime`, peer.holdTime));
  return faults;
}

/** RFC 4271 section 4.2: two octets of seconds; 1 and 2 are forbidden, and 0 would leave a dead peer unnoticed. */
function holdTimeFaults(field: string, holdTime: string): FieldProblem[] {
  return within(field, holdTime, '3s', '65535s', WHOLE_SECONDS);
}

function normalised(name: string, sources: readonly Source[], settings: AgentSettings): DesiredAgent {
  const { labels, bgp, dataplane, kernel, limits, verifyInterval, drainTimeout, metrics, overrides } = settings;
  return {
    name,
    sources: sources.map(({ path }) => path),
    labels,
    bgp: bgp === null ? null : normalisedBgp(bgp),
    dataplane,
    kernel: desiredKernel(kernel),
    limits: {
      maxDeleteShare: limits.maxDeleteShare,
      maxDeleteCount: limits.maxDeleteCount,
      windowMs: durationMs(limits.window),
    },
    verifyIntervalMs: durationMs(verifyInterval),
    drainTimeoutMs: durationMs(drainTimeout),
    metrics: { reals: metrics.reals, traffic: metrics.traffic },
    overrides: mapNamed(overrides, ({ state, reals }) => ({
      state: state ?? null,
      reals: mapNamed(reals, (real) => ({ weight: real.weight ?? null, state: real.state ?? null })),
    })),
  };
}

function normalisedBgp(bgp: BgpRecord): DesiredBgp {
  return {
    asn: bgp.asn,
    routerId: bgp.routerId === 'auto' ? 'auto' : canonicalAddress(bgp.routerId),
    holdTimeMs: durationMs(bgp.holdTime),
    connectRetryMs: durationMs(bgp.connectRetry),
    gracefulRestartMs: durationMs(bgp.gracefulRestart),
    silenced: bgp.silenced,
    peers: mapNamed(bgp.peers, (peer, name) => normalisedPeer(name, peer, bgp)),
  };
}

function normalisedPeer(name: string, peer: PeerRecord, bgp: BgpRecord): DesiredPeer {
  const optional = (address: string | undefined): IpAddress | null =>
    address === undefined ? null : canonicalAddress(address);
  return {
    name,
    address: canonicalAddress(peer.address),
    port: peer.port,
    asn: peer.asn,
    passwordReference: peer.password ?? null,
    ttlSecurityHops: peer.ttlSecurity ?? null,
    ttl: peer.multihop ?? null,
    localAddress: optional(peer.localAddress),
    nextHopIpv4: optional(peer.nextHopIpv4),
    nextHopIpv6: optional(peer.nextHopIpv6),
    holdTimeMs: durationMs(peer.holdTime ?? bgp.holdTime),
  };
}
