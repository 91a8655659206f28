import type { CodedError } from '../core/errors.ts';
import { joinedKey } from '../core/joined-key.ts';
import type { Result } from '../core/result.ts';
import type { Family, IpAddress } from '../model/address.ts';

/*
 * The port between what should be in force and the kernel that forwards. Words are those of the kernel headers
 * (include/uapi/linux/ip_vs.h): a service has destinations.
 */

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** What selects packets for a virtual service: an address, or a firewall mark. */
export type ServiceMatch =
  | {
      readonly kind: 'address';
      readonly family: Family;
      readonly protocol: Protocol;
      readonly address: IpAddress;
      /** 0 = every port; the kernel wants persistence then. */
      readonly port: number;
    }
  | { readonly kind: 'fwmark'; readonly family: Family; readonly fwmark: number };

/** The text form of a ServiceMatch: `tcp|192.0.2.1|80` or `fwmark|ipv4|7`. Equal services have equal keys. */
export type ServiceKey = string & { readonly __brand: 'ServiceKey' };

/** The text form of a destination inside its service: `10.0.0.1|8080`. */
export type DestinationKey = string & { readonly __brand: 'DestinationKey' };

export function serviceKeyOf(match: ServiceMatch): ServiceKey {
  return (
    match.kind === 'fwmark'
      ? `fwmark|${match.family}|${match.fwmark}`
      : `${match.protocol}|${match.address}|${match.port}`
  ) as ServiceKey;
}

/** Whether a ServiceKey is that of a service by firewall mark. */
export function isMarkKey(key: string): boolean {
  return key.startsWith('fwmark|');
}

/** What a ServiceKey has in its middle: the address, or the family of a service by firewall mark. */
export function addressOrFamilyIn(key: string): string {
  return key.split('|')[1] ?? '';
}

export function destinationKeyOf(destination: { readonly address: IpAddress; readonly port: number }): DestinationKey {
  return joinedKey(destination.address, destination.port) as DestinationKey;
}

export interface KernelService {
  readonly match: ServiceMatch;
  readonly scheduler: string;
  /** IP_VS_SVC_F_SCHED1..3 as bits 1, 2 and 4: what they mean depends on the scheduler. */
  readonly schedulerFlags: number;
  readonly onePacket: boolean;
  readonly persistence: {
    readonly timeoutSeconds: number;
    /** IPv4 netmask length or IPv6 prefix length: clients of one network share a real. */
    readonly prefixLength: number;
  } | null;
  /** Persistence engine: 'sip', or null. */
  readonly persistenceEngine: string | null;
}

export type TunnelType = 'ipip' | 'gue' | 'gre';
export type TunnelChecksum = 'none' | 'full' | 'remote';

export type Forwarding =
  | { readonly method: 'nat' }
  | { readonly method: 'direct' }
  | { readonly method: 'local' }
  | {
      readonly method: 'tunnel';
      readonly type: TunnelType;
      /** UDP port of the decapsulator, GUE only; 0 otherwise. */
      readonly port: number;
      readonly checksum: TunnelChecksum;
    };

export interface KernelDestination {
  readonly address: IpAddress;
  readonly port: number;
  readonly weight: number;
  readonly forwarding: Forwarding;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

/** Counters of a service or a destination since it was created (64 bit, IPVS_*_ATTR_STATS64) and rates per second. */
export interface TrafficStats {
  readonly connections: bigint;
  readonly inPackets: bigint;
  readonly outPackets: bigint;
  readonly inBytes: bigint;
  readonly outBytes: bigint;
  readonly connectionsPerSecond: number;
  readonly inPacketsPerSecond: number;
  readonly outPacketsPerSecond: number;
  readonly inBytesPerSecond: number;
  readonly outBytesPerSecond: number;
}

/** Of a reading, or of a later one: who wants the counts of one moment must copy them then. */
export interface DestinationActivity {
  /** Another one once this object tells the counts of a later reading; absent = it never does. */
  readonly revision?: number;
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
  readonly stats: TrafficStats;
}

export interface ActualDestination {
  readonly destination: KernelDestination;
  readonly activity: DestinationActivity;
}

export interface ActualService {
  readonly service: KernelService;
  readonly stats: TrafficStats;
  readonly destinations: ReadonlyMap<DestinationKey, ActualDestination>;
}

/** What the kernel holds. */
export type DataplaneState = ReadonlyMap<ServiceKey, ActualService>;

/** About the dataplane itself; null = it has no such thing, or does not tell. */
export interface DataplaneInfo {
  /** Of IPVS, "1.2.1". */
  readonly version: string | null;
  /** Buckets of the connection table (the parameter conn_tab_bits of ip_vs). Its entries are not limited by it. */
  readonly connectionTableSize: number | null;
}

export type DataplaneOp =
  | { readonly kind: 'addService'; readonly service: KernelService }
  | { readonly kind: 'editService'; readonly service: KernelService }
  | { readonly kind: 'deleteService'; readonly match: ServiceMatch }
  | { readonly kind: 'addDestination'; readonly match: ServiceMatch; readonly destination: KernelDestination }
  | { readonly kind: 'editDestination'; readonly match: ServiceMatch; readonly destination: KernelDestination }
  | {
      readonly kind: 'deleteDestination';
      readonly match: ServiceMatch;
      readonly address: IpAddress;
      readonly port: number;
    };

export interface FailedOp<Op> {
  readonly op: Op;
  readonly error: CodedError;
}

/**
 * What became of a plan. Operations are independent after a failure: the rest goes on. An operation that is in
 * neither list was not tried, or its answer was lost; then `lost` says why, and the caller must read again.
 */
export interface ApplyReport<Op> {
  readonly applied: readonly Op[];
  readonly failed: readonly FailedOp<Op>[];
  readonly lost: CodedError | null;
}

/** Calls must not overlap. */
export interface Dataplane {
  /** Short name for logs and status: 'ipvs', 'ipvsadm', 'nftables', 'memory'. */
  readonly name: string;
  /** Everything the kernel holds, ours or not. */
  read(): Promise<Result<DataplaneState, CodedError>>;
  /**
   * These services only, for counters and connections that are looked at more often than everything else. What the
   * kernel does not have is not in the answer.
   */
  readServices(matches: readonly ServiceMatch[]): Promise<Result<DataplaneState, CodedError>>;
  info(): Promise<Result<DataplaneInfo, CodedError>>;
  /** What keeps the host from forwarding what was last read, as sentences; absent = the adapter knows of nothing. */
  hindrances?(): Promise<readonly string[]>;
  /**
   * Carries out the operations in order. "Add" of what exists (EEXIST) and "delete" of what is gone (ENOENT, ESRCH)
   * are failures here; whether they matter is the caller's business.
   */
  apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>>;
  close(): Promise<void>;
}

/** What a reading holds of some services. */
export function servicesIn(state: DataplaneState, matches: readonly ServiceMatch[]): DataplaneState {
  const found = new Map<ServiceKey, ActualService>();
  for (const match of matches) {
    const key = serviceKeyOf(match);
    const service = state.get(key);
    if (service !== undefined) found.set(key, service);
  }
  return found;
}

/** The service that an operation is about. */
export function matchOf(op: DataplaneOp): ServiceMatch {
  return op.kind === 'addService' || op.kind === 'editService' ? op.service.match : op.match;
}

/** The services that operations take out of the kernel. */
export function deletedServices(ops: readonly DataplaneOp[]): ReadonlySet<ServiceKey> {
  return new Set(ops.flatMap((op) => (op.kind === 'deleteService' ? [serviceKeyOf(op.match)] : [])));
}
