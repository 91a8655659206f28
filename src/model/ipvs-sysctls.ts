/*
 * The settings of IPVS under /proc/sys/net/ipv4/vs, for each network namespace (vs_vars in
 * net/netfilter/ipvs/ip_vs_ctl.c, Documentation/networking/ipvs-sysctl.rst). This is the one declaration: the record's
 * schema, its problems and the reference follow.
 */

export interface IpvsSysctl {
  /** What the value is: a number in a range, or text of this pattern. */
  readonly value:
    { readonly minimum: number; readonly maximum: number } | { readonly pattern: string; readonly allowed: string };
  /** What it does and when to set it. */
  readonly description: string;
  /** The value of the preset "recommended"; absent = the preset leaves it alone. */
  readonly recommended?: number;
}

const SWITCH = { minimum: 0, maximum: 1 };
const DEFENCE = { minimum: 0, maximum: 3 };
const SECONDS = { minimum: 0, maximum: 2_147_483 };
const COUNT = { minimum: 0, maximum: 2_147_483_647 };

export const IPVS_SYSCTLS = {
  am_droprate: { value: COUNT, description: 'Rate at which the always-on mode of drop_packet drops: 1 of so many.' },
  amemthresh: {
    value: COUNT,
    description: 'Free pages below which the automatic defence modes (1, 2) of drop_* and secure_tcp begin.',
  },
  backup_only: {
    value: SWITCH,
    description:
      'While only the backup sync daemon runs: packets for a VIP that lies on lo are delivered here, not balanced, so ' +
      'that directors that are also reals do not send packets in circles.',
  },
  cache_bypass: {
    value: SWITCH,
    description: 'Transparent caches: without a real, packets go on to the destination itself.',
  },
  conn_reuse_mode: {
    value: DEFENCE,
    description: 'What a client that uses its port again gets: 0 = the old real; bits 1 and 2 = a new choice.',
  },
  conntrack: {
    value: SWITCH,
    description:
      'Balanced connections also have entries in connection tracking, so that rules can match them and translate ' +
      'their source; costs throughput.',
  },
  drop_entry: { value: DEFENCE, description: 'Drop entries of the connection table when memory is short: 0 = never.' },
  drop_packet: { value: DEFENCE, description: 'Drop packets before they are balanced when memory is short.' },
  est_cpulist: {
    value: { pattern: '^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$', allowed: 'a list of CPUs: "0-3,8"' },
    description: 'CPUs on which statistics are estimated (Linux 6.2 and newer).',
  },
  est_nice: {
    value: { minimum: -20, maximum: 19 },
    description: 'Priority of the threads that estimate statistics (Linux 6.2 and newer).',
  },
  expire_nodest_conn: {
    value: SWITCH,
    recommended: 1,
    description:
      'What becomes of connections whose real was taken out of the kernel (health.whenDown "remove", or a drain whose ' +
      'deadline has passed). 0: their packets are dropped without a word until the entry times out (5 minutes for UDP, ' +
      '15 for TCP), and a UDP client that keeps its port hears nothing until then. 1: the entry ends at once; the next ' +
      'packet of a UDP flow goes to another real, and a TCP client is refused and connects anew. Set it with "remove"; ' +
      'with "quiesce" it only matters once the real is deleted.',
  },
  expire_quiescent_template: {
    value: SWITCH,
    recommended: 1,
    description:
      'What becomes of a persistent client whose real has weight 0 (health.whenDown "quiesce", or a drain). 0: its new ' +
      'connections go on to that real as long as the template lives, also if the real is dead. 1: they go to another ' +
      'real at once; connections that are open stay. Set it with "quiesce"; leave it at 0 only where a drain must ' +
      'keep the sessions of persistent clients on their real, and whenDown is "remove".',
  },
  ignore_tunneled: {
    value: SWITCH,
    description: 'Packets that came out of an IPIP tunnel are not balanced again.',
  },
  lblc_expiration: { value: SECONDS, description: 'Seconds after which an unused entry of lblc is dropped.' },
  lblcr_expiration: { value: SECONDS, description: 'Seconds after which an unused entry of lblcr is dropped.' },
  nat_icmp_send: {
    value: SWITCH,
    description: 'NAT: answers of reals that belong to no connection are told so by ICMP.',
  },
  pmtu_disc: { value: SWITCH, description: 'Packets too large for a tunnel are answered by ICMP.' },
  run_estimation: {
    value: SWITCH,
    description: 'Rates are worked out; 0 spares time with tens of thousands of reals, and rates then read 0.',
  },
  schedule_icmp: {
    value: SWITCH,
    description: 'ICMP errors for unknown connections are balanced like the packets they are about.',
  },
  secure_tcp: { value: DEFENCE, description: 'A stricter TCP state table, against floods of SYN.' },
  sloppy_sctp: {
    value: SWITCH,
    description: 'Any packet of SCTP may begin a connection: for directors that take over from one another.',
  },
  sloppy_tcp: {
    value: SWITCH,
    description:
      'Any packet of TCP may begin a connection: for directors that take over from one another by routing, with a ' +
      'scheduler that chooses alike on each (sh, mh).',
  },
  snat_reroute: {
    value: SWITCH,
    description: 'NAT: the route of answers is looked up again with the VIP as their source.',
  },
  sync_persist_mode: {
    value: SWITCH,
    description: 'With persistence only the templates are synchronised, not the connections.',
  },
  sync_ports: {
    value: { pattern: '^[1248]$', allowed: '"1", "2", "4" or "8"' },
    description: 'UDP ports, and threads, of the sync daemons; changes need the daemons stopped.',
  },
  sync_qlen_max: { value: COUNT, description: 'Sync messages that may wait to be sent.' },
  sync_refresh_period: {
    value: SECONDS,
    description: 'Seconds between two sync messages about a connection whose state does not change; 0 = by packets.',
  },
  sync_retries: { value: DEFENCE, description: 'How often a sync message about a connection is sent again.' },
  sync_sock_size: { value: COUNT, description: "Buffer of the sync daemons' sockets in bytes; 0 = the system's." },
  sync_threshold: {
    value: { pattern: '^[0-9]{1,9} [0-9]{1,9}$', allowed: 'two numbers: "3 50"' },
    description: 'Sync a connection from its first number of packets on, and again after each second number of them.',
  },
  sync_version: { value: SWITCH, description: 'Version of the sync protocol: 1 knows IPv6 and all flags.' },
} as const satisfies Readonly<Record<string, IpvsSysctl>>;

export type IpvsSysctlName = keyof typeof IPVS_SYSCTLS;

export const IPVS_SYSCTL_NAMES = Object.keys(IPVS_SYSCTLS) as IpvsSysctlName[];
