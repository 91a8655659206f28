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
  ...SCHEDULERS.map((name) => `ip_vs_${name}`),
  ...['veth', 'dummy', 'tun', 'bridge', 'vrf', 'nf_conntrack', 'nf_nat', 'ipip', 'ip_gre', 'ip6_tunnel', 'ip6_gre'],
  ...['sit', 'fou', 'fou6', 'nf_tables', 'nft_ct', 'nft_nat', 'nft_masq', 'nft_redir', 'nft_limit', 'nft_log'],
  ...['nft_numgen', 'nft_hash', 'nft_reject', 'nft_reject_inet', 'nft_chain_nat', 'nft_quota', 'nft_objref'],
  ...['nft_fib_inet', 'netlink_diag', 'tcp_diag', 'inet_diag', 'unix_diag', 'udp_diag', 'af_packet'],
  ...['sch_netem', 'sch_tbf', 'sch_fq_codel', 'sch_ingress', 'cls_matchall', 'cls_u32', 'act_gact'],
];
