/** Every IPVS scheduler of Linux 6.1 (net/netfilter/ipvs/ip_vs_*.c) but `twos`, which some distributions leave out. */
export const SCHEDULERS = [
  ...['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'mh', 'sed', 'nq', 'fo', 'ovf'],
] as const;

/**
 * What a lab kernel must have loaded before anything is started in it: a User-Mode Linux guest cannot load a module
 * when a system call asks for it, as its kernel would have to call a program of the host's.
 */
export const MODULES: readonly string[] = [
  'ip_vs',
  'ip_vs_pe_sip',
  ...SCHEDULERS.map((name) => `ip_vs_${name}`),
  ...['veth', 'dummy', 'tun', 'bridge', 'vrf', 'ipip', 'ip_gre', 'ip6_tunnel', 'ip6_gre', 'sit', 'fou', 'fou6'],
  // SCTP signs its cookies, and cannot listen without.
  ...['sctp', 'hmac'],
  // Debian's User-Mode Linux has nf_tables without its IPv4 and IPv6 families, so packets are marked by iptables-legacy.
  ...[
    'nf_conntrack',
    'nf_conntrack_netlink',
    'nf_nat',
    'iptable_filter',
    'iptable_nat',
    'iptable_mangle',
    'ip6table_filter',
  ],
  ...['ip6table_nat', 'ip6table_mangle', 'xt_mark', 'xt_tcpudp', 'xt_multiport', 'xt_conntrack', 'xt_nat'],
  ...['xt_MASQUERADE', 'xt_comment', 'xt_statistic', 'xt_ipvs', 'xt_TCPMSS', 'xt_limit', 'ipt_REJECT', 'ip6t_REJECT'],
  ...['udp_diag', 'unix_diag', 'netlink_diag', 'sch_netem', 'sch_tbf', 'sch_ingress', 'cls_u32', 'cls_matchall'],
];

/** What `nft` and the dataplane of that name use, where nf_tables has families to use it in. */
export const NF_TABLES_MODULES: readonly string[] = [
  ...[
    'nf_tables',
    'nft_chain_nat',
    'nft_nat',
    'nft_ct',
    'nft_numgen',
    'nft_hash',
    'nft_masq',
    'nft_redir',
    'nft_fib_inet',
  ],
  ...['nft_reject_inet', 'nft_limit', 'nft_log', 'nft_compat', 'nft_objref', 'nft_counter'],
];
