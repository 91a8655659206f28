import type { Family } from '../model/address.ts';
import type { Forwarding, Protocol, TunnelChecksum, TunnelType } from './dataplane.ts';
import { AF_INET, AF_INET6 } from './netlink/constants.ts';
import type { AttributeTable, AttributeValues } from './netlink/attribute-table.ts';

/*
 * The generic netlink family of IPVS, as include/uapi/linux/ip_vs.h declares it. Types are those of the policies in
 * net/netfilter/ipvs/ip_vs_ctl.c; integers are in host order unless the table says `be`.
 */

export const IPVS_FAMILY = 'IPVS';
export const IPVS_VERSION = 1;

export const IPVS_CMD = {
  newService: 1,
  setService: 2,
  deleteService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  deleteDestination: 7,
  getDestination: 8,
  getInfo: 15,
} as const;

/** IPVS_STATS_ATTR_*, of the 64-bit kind (IPVS_*_ATTR_STATS64, Linux 4.1 and newer). */
export const STATS64 = {
  connections: { id: 1, type: 'u64' },
  inPackets: { id: 2, type: 'u64' },
  outPackets: { id: 3, type: 'u64' },
  inBytes: { id: 4, type: 'u64' },
  outBytes: { id: 5, type: 'u64' },
  connectionsPerSecond: { id: 6, type: 'u64' },
  inPacketsPerSecond: { id: 7, type: 'u64' },
  outPacketsPerSecond: { id: 8, type: 'u64' },
  inBytesPerSecond: { id: 9, type: 'u64' },
  outBytesPerSecond: { id: 10, type: 'u64' },
} as const satisfies AttributeTable;

/** IPVS_SVC_ATTR_* */
export const SERVICE = {
  family: { id: 1, type: 'u16' },
  protocol: { id: 2, type: 'u16' },
  /** union nf_inet_addr: always 16 bytes, an IPv4 address in the first four. */
  address: { id: 3, type: 'bytes' },
  port: { id: 4, type: 'be16' },
  fwmark: { id: 5, type: 'u32' },
  scheduler: { id: 6, type: 'string' },
  flags: { id: 7, type: 'flags' },
  timeout: { id: 8, type: 'u32' },
  /** IPv4: the mask as it would stand in a packet. IPv6: a prefix length, as a number in host order. */
  netmask: { id: 9, type: 'bytes' },
  persistenceEngine: { id: 11, type: 'string' },
} as const satisfies AttributeTable;

/** Those IPVS_SVC_ATTR_* that change by themselves. */
export const SERVICE_COUNTERS = {
  /** In 32 bits, and not looked into. */
  stats32: { id: 10, type: 'bytes' },
  stats64: { id: 12, type: 'nested', table: STATS64 },
} as const satisfies AttributeTable;

/** IPVS_DEST_ATTR_* */
export const DESTINATION = {
  address: { id: 1, type: 'bytes' },
  port: { id: 2, type: 'be16' },
  forwarding: { id: 3, type: 'u32' },
  weight: { id: 4, type: 'i32' },
  upperThreshold: { id: 5, type: 'u32' },
  lowerThreshold: { id: 6, type: 'u32' },
  /** Always sent: without it the kernel takes the service's family. */
  family: { id: 11, type: 'u16' },
  tunnelType: { id: 13, type: 'u8' },
  tunnelPort: { id: 14, type: 'be16' },
  tunnelFlags: { id: 15, type: 'u16' },
} as const satisfies AttributeTable;

/** Those IPVS_DEST_ATTR_* that change by themselves. */
export const DESTINATION_COUNTERS = {
  activeConnections: { id: 7, type: 'u32' },
  inactiveConnections: { id: 8, type: 'u32' },
  persistentConnections: { id: 9, type: 'u32' },
  ...SERVICE_COUNTERS,
} as const satisfies AttributeTable;

/** IPVS_CMD_ATTR_*: the outermost level. */
export const COMMAND = {
  service: { id: 1, type: 'nested', table: SERVICE },
  destination: { id: 2, type: 'nested', table: DESTINATION },
} as const satisfies AttributeTable;

/** The same, for the counters in it. */
export const COMMAND_COUNTERS = {
  service: { id: 1, type: 'nested', table: SERVICE_COUNTERS },
  destination: { id: 2, type: 'nested', table: DESTINATION_COUNTERS },
} as const satisfies AttributeTable;

/** IPVS_INFO_ATTR_* */
export const INFO = {
  version: { id: 1, type: 'u32' },
  connectionTableSize: { id: 2, type: 'u32' },
} as const satisfies AttributeTable;

export type ServiceAttributes = AttributeValues<typeof SERVICE>;
export type DestinationAttributes = AttributeValues<typeof DESTINATION>;

/** IP_VS_SVC_F_* */
export const SVC_F_PERSISTENT = 0x01;
export const SVC_F_ONEPACKET = 0x04;
/** IP_VS_SVC_F_SCHED1 is bit 3; SCHED2 and SCHED3 follow. */
export const SVC_F_SCHED_SHIFT = 3;
export const SVC_F_SCHED_MASK = 0x38;

/** IP_VS_CONN_F_FWD_MASK and the methods under it: MASQ, LOCALNODE, TUNNEL, DROUTE. */
export const CONN_F_FWD_MASK = 0x07;
export const METHODS = { nat: 0, local: 1, tunnel: 2, direct: 3 } as const satisfies Record<
  Forwarding['method'],
  number
>;

/** IP_VS_CONN_F_TUNNEL_TYPE_* */
export const TUNNEL_TYPES = { ipip: 0, gue: 1, gre: 2 } as const satisfies Record<TunnelType, number>;

/** IP_VS_TUNNEL_ENCAP_FLAG_* */
export const TUNNEL_CHECKSUMS = { none: 0, full: 1, remote: 2 } as const satisfies Record<TunnelChecksum, number>;

/** IP_VS_SCHEDNAME_MAXLEN and IP_VS_PENAME_MAXLEN, with the closing NUL. */
export const NAME_MAX_LENGTH = 16;

/** include/uapi/linux/in.h */
export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const satisfies Record<Protocol, number>;

export const FAMILIES = { ipv4: AF_INET, ipv6: AF_INET6 } as const satisfies Record<Family, number>;

/** The prefix length of one host. */
export const HOST_PREFIX = { ipv4: 32, ipv6: 128 } as const satisfies Record<Family, number>;

/** The name under which a table such as `FAMILIES` lists a number. */
export function nameIn<K extends string>(table: Readonly<Record<K, number>>, number: number): K | undefined {
  return (Object.keys(table) as K[]).find((name) => table[name] === number);
}
