import type { Verdict } from '../../checks/port.ts';
import type { DestinationKey, KernelDestination, KernelService, ServiceKey } from '../../ipvs/dataplane.ts';
import type { PacketMark } from '../../ipvs/packet-marks.ts';
import type { IpAddress } from '../../model/address.ts';
import type { AdminState } from '../../model/records/service.ts';
import type { RealCheck } from './real-checks.ts';

/** What should be in force now: the accepted set with drains, verdicts, floors, quorums and ramps applied. */
export interface Effective {
  readonly revision: string;
  /** Every accepted service by record name, disabled ones too. */
  readonly services: ReadonlyMap<string, EffectiveService>;
  /** Every kernel service that should exist. */
  readonly kernel: ReadonlyMap<ServiceKey, WantedService>;
  readonly vips: ReadonlyMap<string, EffectiveVip>;
  /** Packets to mark for services that are chosen by a mark. */
  readonly marks: readonly PacketMark[];
  /** Milliseconds until something changes by itself (the next step of a ramp, the end of a drain); null = nothing will. */
  readonly nextChangeMs: number | null;
}

export interface WantedService {
  readonly key: ServiceKey;
  /** Name of the service record. */
  readonly service: string;
  readonly kernel: KernelService;
  readonly destinations: ReadonlyMap<DestinationKey, WantedDestination>;
  /** Destinations of accepted reals that must not be here, and how they go. Any other one leaves gently. */
  readonly out: ReadonlyMap<DestinationKey, Outgoing>;
  /** How long what leaves may keep its connections; null = as long as the agent says. */
  readonly drainTimeoutMs: number | null;
  /** Some real has no verdict yet, so the pool may be about to fill: what leaves may stand in meanwhile. */
  readonly pending: boolean;
}

export interface Outgoing {
  readonly removal: Removal;
  /** Name of the real's record; null = the sorry server. */
  readonly real: string | null;
}

/** `now`: deleted at once (whenDown remove); `quiesce`: weight 0 at once, deleted when its connections are over. */
export type Removal = 'now' | 'quiesce';

export interface WantedDestination {
  /** Name of the real's record; null = the sorry server. */
  readonly real: string | null;
  readonly destination: KernelDestination;
}

export interface EffectiveVip {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  /** Interface that should carry the addresses; null = not our business, or nothing needs them. */
  readonly interface: string | null;
  /** Names of the accepted services on it that are not disabled. */
  readonly services: readonly string[];
  /** Why it must not be announced whatever its services say (silenced, drained); null = nothing forbids it. */
  readonly withdrawn: string | null;
}

export interface EffectiveService {
  readonly name: string;
  readonly vip: string;
  /** After overrides and drains. */
  readonly state: AdminState;
  /** Why it has that state, for people. */
  readonly stateReason: string;
  readonly quorum: EffectiveQuorum;
  /** At quorum and not drained: what BGP follows. */
  readonly serving: boolean;
  /** The sorry server takes the traffic. */
  readonly sorry: boolean;
  readonly kernelKeys: readonly ServiceKey[];
  /** As in `WantedService`: also for kernel services that it does not want any more. */
  readonly drainTimeoutMs: number | null;
  readonly reals: ReadonlyMap<string, EffectiveReal>;
  readonly held: boolean;
}

export interface EffectiveQuorum {
  readonly state: 'held' | 'lost';
  /** Wall-clock milliseconds of the last change. */
  readonly since: number;
  readonly cause: string;
}

/** Without the figures of the last probe: they change all the time and decide nothing. */
export type RealVerdict = Pick<Verdict, 'state' | 'since' | 'cause'>;

export interface EffectiveReal {
  readonly name: string;
  /** Address and port as people write it; without a port where the real keeps the port of each packet. */
  readonly target: string;
  /** After overrides and drains. */
  readonly state: AdminState;
  /** All checks of the real together, each cause with the name of its check. */
  readonly verdict: RealVerdict;
  /** It has had no verdict but unknown so far. */
  readonly undecided: boolean;
  /** Those checks. */
  readonly checks: readonly RealCheck[];
  readonly configuredWeight: number;
  /** In force; of several kernel services the largest. */
  readonly weight: number;
  /** In the pool although it fails: the floor holds it. */
  readonly kept: boolean;
  /** Why it has this weight. */
  readonly reason: string;
  /** Wall-clock milliseconds since when it is drained; null = it is not. */
  readonly drainedSince: number | null;
  readonly held: boolean;
}
