import { familyOf, isHostAddress } from '../model/address.ts';
import { NAME_MAX_LENGTH } from './attributes.ts';
import { matchOf } from './dataplane.ts';
import type { DataplaneOp, KernelDestination, KernelService, ServiceMatch } from './dataplane.ts';

/*
 * What can succeed on no table at all, because the kernel refuses it, or because it takes it and then never forwards
 * a packet. Every adapter asks here first, so that one plan has one outcome on all of them. Where the kernel has the
 * rule (net/netfilter/ipvs/ip_vs_ctl.c) the errno is the kernel's; where only ipvsadm has it, EINVAL.
 */

const MAX_PORT = 0xffff;
const MAX_U32 = 0xffff_ffff;
/** The kernel keeps weights as int; ipvsadm reads thresholds as int as well. */
const MAX_INT = 0x7fff_ffff;
/** MAX_TIMEOUT of ipvsadm: 31 days. The kernel counts in jiffies, which overflow unnoticed far above that. */
const MAX_TIMEOUT_SECONDS = 31 * 86_400;

/** IP_VS_SVC_F_SCHED_SH_* and IP_VS_SVC_F_SCHED_MH_* of include/uapi/linux/ip_vs.h. */
const SCHEDULERS_OF_TWO_FLAGS: ReadonlySet<string> = new Set(['sh', 'mh']);

export interface BrokenRule {
  readonly errno: 'EINVAL' | 'ERANGE';
  readonly reason: string;
}

export function brokenRule(op: DataplaneOp): BrokenRule | null {
  const match = matchOf(op);
  const inMatch = matchRule(match);
  if (inMatch !== null) return inMatch;
  switch (op.kind) {
    case 'addService':
    case 'editService':
      return serviceRule(op.service);
    case 'addDestination':
    case 'editDestination':
      return destinationRule(match, op.destination);
    case 'deleteService':
    case 'deleteDestination':
      return null;
  }
}

function matchRule(match: ServiceMatch): BrokenRule | null {
  if (match.kind === 'fwmark') {
    return within(match.fwmark, 1, MAX_U32) ? null : invalid(`firewall mark ${match.fwmark} is not 1..${MAX_U32}`);
  }
  if (familyOf(match.address) !== match.family) return invalid(`${match.address} is not an ${match.family} address`);
  return within(match.port, 0, MAX_PORT) ? null : invalid(`port ${match.port} is not 0..${MAX_PORT}`);
}

function serviceRule(service: KernelService): BrokenRule | null {
  const { match, scheduler, persistence, persistenceEngine, schedulerFlags } = service;
  for (const name of [scheduler, persistenceEngine ?? 'none']) {
    // Also what may stand on a line for ipvsadm.
    if (!/^[a-z0-9_]+$/.test(name) || name.length >= NAME_MAX_LENGTH) {
      return invalid(`"${name}" cannot be the name of a scheduler or persistence engine`);
    }
  }
  if (!within(schedulerFlags, 0, 7)) return invalid(`scheduler flags ${schedulerFlags} are not 0..7`);
  if (schedulerFlags > 3 && SCHEDULERS_OF_TWO_FLAGS.has(scheduler)) {
    // The kernel keeps it and ipvsadm cannot say it, so one of the adapters would set it for ever.
    return invalid(`scheduler ${scheduler} has no third flag`);
  }
  // ipvsadm's rule; for other protocols the kernel takes the flag and ignores it.
  if (service.onePacket && match.kind === 'address' && match.protocol !== 'udp') {
    return invalid('one-packet scheduling is for UDP and firewall marks');
  }
  if (persistence === null) {
    // ipvsadm's rule; the kernel takes such a service and drops what comes for it.
    if (match.kind === 'address' && match.port === 0) return invalid('port 0 needs persistence');
    return null;
  }
  const { timeoutSeconds, prefixLength } = persistence;
  if (!within(timeoutSeconds, 1, MAX_TIMEOUT_SECONDS)) {
    return invalid(`a persistence timeout of ${timeoutSeconds} s is not 1..${MAX_TIMEOUT_SECONDS} s`);
  }
  const longest = match.family === 'ipv4' ? 32 : 128;
  return within(prefixLength, 1, longest) ? null : invalid(`persistence mask /${prefixLength} is not 1..${longest}`);
}

function destinationRule(match: ServiceMatch, destination: KernelDestination): BrokenRule | null {
  const { address, port, weight, forwarding, upperThreshold, lowerThreshold } = destination;
  if (!within(port, 0, MAX_PORT)) return invalid(`port ${port} is not 0..${MAX_PORT}`);
  if (familyOf(address) !== match.family && forwarding.method !== 'tunnel') {
    return invalid('a real of the other address family is reached through a tunnel only');
  }
  if (!within(weight, 0, MAX_INT)) return outOfRange(`weight ${weight} is not 0..${MAX_INT}`);
  if (!within(upperThreshold, 0, MAX_INT) || !within(lowerThreshold, 0, MAX_INT)) {
    return outOfRange(`a connection threshold is not 0..${MAX_INT}`);
  }
  if (lowerThreshold > upperThreshold) return outOfRange('the lower threshold is higher than the upper one');
  if (forwarding.method !== 'nat' && match.kind === 'address' && port !== match.port) {
    // The packet reaches the real as it came. The kernel takes another port here and ignores it; ipvsadm replaces it.
    return invalid(`only NAT changes the port; with ${forwarding.method} it stays ${match.port}`);
  }
  if (forwarding.method === 'tunnel') {
    if (!within(forwarding.port, 0, MAX_PORT)) return invalid(`tunnel port ${forwarding.port} is not 0..${MAX_PORT}`);
    if (forwarding.type === 'gue' && forwarding.port === 0) return invalid('a GUE tunnel needs a port');
    if (forwarding.type !== 'gue' && forwarding.port !== 0) return invalid(`${forwarding.type} tunnels have no port`);
    if (forwarding.type === 'ipip' && forwarding.checksum !== 'none') return invalid('ipip tunnels have no checksum');
    if (forwarding.type === 'gre' && forwarding.checksum === 'remote') {
      return invalid('remote checksum offload is for GUE tunnels');
    }
  }
  // As ip_vs_new_dest() sees it: no multicast, broadcast or unspecified address, no IPv6 link-local one. Unlike us it
  // takes 240.0.0.0/4, and any address that it finds on this host.
  return isHostAddress(address) ? null : invalid(`${address} is not the address of one host`);
}

/** Whole numbers only: what is not would be cut silently on its way into a message. */
function within(value: number, lowest: number, highest: number): boolean {
  return Number.isInteger(value) && value >= lowest && value <= highest;
}

function invalid(reason: string): BrokenRule {
  return { errno: 'EINVAL', reason };
}

function outOfRange(reason: string): BrokenRule {
  return { errno: 'ERANGE', reason };
}
