import type { AttributeTable } from '../netlink/attribute-table.ts';

/** include/uapi/linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h: subsystem in the high byte, message in the low. */
const NFNL_SUBSYS_CTNETLINK = 1;
export const CT_NEW = NFNL_SUBSYS_CTNETLINK << 8;
export const CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
export const CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;

/** enum ctattr_ip */
const TUPLE_IP = {
  ipv4Source: { id: 1, type: 'bytes' },
  ipv4Destination: { id: 2, type: 'bytes' },
  ipv6Source: { id: 3, type: 'bytes' },
  ipv6Destination: { id: 4, type: 'bytes' },
} as const satisfies AttributeTable;

/** enum ctattr_l4proto; ICMP has others, which are skipped. */
const TUPLE_PROTOCOL = {
  number: { id: 1, type: 'u8' },
  sourcePort: { id: 2, type: 'be16' },
  destinationPort: { id: 3, type: 'be16' },
} as const satisfies AttributeTable;

/** enum ctattr_tuple */
export const TUPLE = {
  ip: { id: 1, type: 'nested', table: TUPLE_IP },
  protocol: { id: 2, type: 'nested', table: TUPLE_PROTOCOL },
  zone: { id: 3, type: 'be16' },
} as const satisfies AttributeTable;

/** enum ctattr_filter; host order, as the kernel reads it with nla_get_u32. */
const FILTER = {
  originalFlags: { id: 1, type: 'u32' },
  replyFlags: { id: 2, type: 'u32' },
} as const satisfies AttributeTable;

/** enum ctattr_protoinfo_tcp and ctattr_protoinfo_sctp. */
const STATE = { state: { id: 1, type: 'u8' } } as const satisfies AttributeTable;

/** enum ctattr_protoinfo */
const PROTOCOL_STATE = {
  tcp: { id: 1, type: 'nested', table: STATE },
  sctp: { id: 3, type: 'nested', table: STATE },
} as const satisfies AttributeTable;

/** TCP_CONNTRACK_ESTABLISHED (nf_conntrack_tcp.h) and SCTP_CONNTRACK_ESTABLISHED (nf_conntrack_sctp.h). */
export const ESTABLISHED = { tcp: 3, sctp: 4 } as const;

/** enum ctattr_type */
export const FLOW = {
  original: { id: 1, type: 'nested', table: TUPLE },
  reply: { id: 2, type: 'nested', table: TUPLE },
  state: { id: 4, type: 'nested', table: PROTOCOL_STATE },
  /** Opaque, sent back as it came. */
  id: { id: 12, type: 'bytes' },
  zone: { id: 18, type: 'be16' },
  /** Linux 5.8 and newer; older kernels skip it and dump everything. */
  filter: { id: 25, type: 'nested', table: FILTER },
} as const satisfies AttributeTable;

/** CTA_FILTER_F_* (net/netfilter/nf_internals.h): which parts of the tuple a dump must match. */
export const FILTER_IP_SOURCE = 1 << 0;
export const FILTER_IP_DESTINATION = 1 << 1;
export const FILTER_PROTOCOL = 1 << 3;
export const FILTER_SOURCE_PORT = 1 << 4;
export const FILTER_DESTINATION_PORT = 1 << 5;
