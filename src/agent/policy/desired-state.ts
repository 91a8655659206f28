import type { Forwarding, Protocol } from '../../ipvs/dataplane.ts';
import type { KernelSetting } from '../../ipvs/settings/settings.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import type { CheckDefinition } from '../../model/check-definition.ts';
import type { MetricLimits } from '../../model/metric-limits.ts';
import type { AdminState } from '../../model/records/service.ts';

/*
 * What the records of the store mean for one agent: references resolved, labels selected, overrides applied, every
 * duration a number. Plain data without bigint, Map or undefined, because the last-known-good file keeps it.
 */

/** Things by record name. Read with `named`: "constructor" is a good name for a service. */
export type Named<T> = Readonly<Record<string, T>>;

export function named<T>(all: Named<T>, name: string): T | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

export function mapNamed<T, U>(all: Named<T>, change: (value: T, name: string) => U): Named<U> {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, change(value, name)]));
}

export interface Desired {
  /** Revision of the records behind it, "sha256:…". Under a hold: the last revision that was accepted as a whole. */
  readonly revision: string;
  readonly agent: DesiredAgent;
  /** VIPs that have a service on this agent. */
  readonly vips: Named<DesiredVip>;
  /** Services that are selected for this agent. */
  readonly services: Named<DesiredService>;
  /** Definitions of the checks that the services and reals above refer to. */
  readonly checks: Named<CheckDefinition>;
  readonly drains: Named<Drain>;
}

export interface DesiredAgent {
  readonly name: string;
  /** Paths of the records that the settings were merged from; empty = built-in defaults only. */
  readonly sources: readonly string[];
  readonly labels: Named<string>;
  readonly bgp: DesiredBgp | null;
  readonly dataplane: 'ipvs' | 'ipvsadm' | 'nftables' | 'memory';
  /** Settings of IPVS as a whole; what is not among them is not touched. */
  readonly kernel: readonly KernelSetting[];
  readonly limits: DeleteLimits;
  readonly verifyIntervalMs: number;
  readonly drainTimeoutMs: number;
  readonly metrics: MetricLimits;
  /** What is different on this agent, by service. Applied to the services already; kept for when a record turns bad. */
  readonly overrides: Named<DesiredOverride>;
}

export interface DesiredOverride {
  readonly state: AdminState | null;
  readonly reals: Named<{ readonly weight: number | null; readonly state: AdminState | null }>;
}

export interface DeleteLimits {
  /** 0 to 1. */
  readonly maxDeleteShare: number;
  readonly maxDeleteCount: number;
  readonly windowMs: number;
}

export interface Silenced {
  readonly by: string;
  readonly why: string;
}

export interface DesiredBgp {
  readonly asn: number;
  readonly routerId: 'auto' | IpAddress;
  readonly holdTimeMs: number;
  readonly connectRetryMs: number;
  /** 0 = no graceful restart. */
  readonly gracefulRestartMs: number;
  readonly silenced: Silenced | null;
  readonly peers: Named<DesiredPeer>;
}

/** As the speaker's PeerSettings, but with the password still a reference. */
export interface DesiredPeer {
  readonly name: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  /** "file:…", "env:…" or null. */
  readonly passwordReference: string | null;
  readonly ttlSecurityHops: number | null;
  readonly ttl: number | null;
  readonly localAddress: IpAddress | null;
  readonly nextHopIpv4: IpAddress | null;
  readonly nextHopIpv6: IpAddress | null;
  readonly holdTimeMs: number;
}

export interface DesiredVip {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  /** null = somebody else puts the addresses on an interface. */
  readonly interface: string | null;
  readonly advertise: Advertise;
  readonly silenced: Silenced | null;
}

export interface Advertise {
  readonly when: 'any' | 'all' | 'always' | 'never';
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly med: number | null;
  readonly localPref: number | null;
  readonly prepend: number;
  /** Names of the only peers that hear of it; null = all. */
  readonly peers: readonly string[] | null;
}

/** Inclusive. Sorted and without overlap in a match. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export type DesiredMatch =
  | { readonly kind: 'ports'; readonly ports: readonly PortRange[]; readonly protocols: readonly Protocol[] }
  | {
      readonly kind: 'fwmark';
      readonly fwmark: number;
      readonly families: readonly Family[];
      /** Packets that we mark ourselves; absent = the operator's rules do. */
      readonly mark?: { readonly ports: readonly PortRange[]; readonly protocols: readonly Protocol[] };
    };

export interface DesiredService {
  readonly name: string;
  readonly vip: string;
  readonly match: DesiredMatch;
  readonly state: AdminState;
  readonly scheduler: string;
  /** IP_VS_SVC_F_SCHED1..3 as bits 1, 2 and 4. */
  readonly schedulerFlags: number;
  readonly onePacket: boolean;
  readonly persistence: DesiredPersistence | null;
  /** For reals without their own. */
  readonly forwarding: Forwarding;
  /** For reals without their own. */
  readonly checks: readonly string[];
  readonly health: DesiredHealth;
  readonly drain: DesiredDrain;
  readonly quorum: DesiredQuorum;
  readonly sorry: { readonly address: IpAddress; readonly port: number | null; readonly forwarding: Forwarding } | null;
  readonly reals: Named<DesiredReal>;
  /** Its creation in the store's own counting, decimal. */
  readonly created: string;
  /** Deleted from the store, but the guard holds the deletion. */
  readonly held: boolean;
}

export interface DesiredPersistence {
  readonly timeoutSeconds: number;
  /** IPv4 clients of one network of this length share a real. */
  readonly mask: number;
  /** The same for IPv6. */
  readonly prefixLength: number;
  readonly engine: 'sip' | null;
}

export interface DesiredHealth {
  readonly rise: number;
  readonly fall: number;
  readonly initial: 'unknown' | 'up';
  readonly whenDown: 'quiesce' | 'remove';
  /** 0 to 1. */
  readonly floor: number;
  readonly slowStartMs: number;
}

export interface DesiredDrain {
  /** The weight steps down over this time. */
  readonly overMs: number;
  /** How long connections may last at weight 0; null = as long as the agent says. */
  readonly timeoutMs: number | null;
}

export interface DesiredQuorum {
  readonly unit: 'weight' | 'reals';
  readonly value: number;
  readonly hysteresis: number;
}

export interface DesiredReal {
  readonly name: string;
  readonly address: IpAddress;
  /** null = the service's port. */
  readonly port: number | null;
  readonly weight: number;
  readonly state: AdminState;
  readonly forwarding: Forwarding;
  /** Names in `Desired.checks`, all of which must pass. */
  readonly checks: readonly string[];
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly created: string;
  /** Deleted from the store, but the guard holds the deletion. */
  readonly held: boolean;
}

export type DrainTarget =
  | { readonly kind: 'real'; readonly service: string; readonly real: string }
  | { readonly kind: 'service'; readonly service: string }
  | { readonly kind: 'vip'; readonly vip: string }
  | { readonly kind: 'agent'; readonly agent: string };

export interface Drain {
  readonly name: string;
  readonly target: DrainTarget;
  readonly by: string;
  readonly why: string;
  /** Wall-clock milliseconds; null = until the record is deleted. */
  readonly until: number | null;
  /** What follows at `until`. */
  readonly onExpiry: 'undrain' | 'keep';
}
