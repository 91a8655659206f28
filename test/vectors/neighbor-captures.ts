/*
 * What Linux 6.18 itself sends when an interface with addresses comes up and it is told to announce them: its gratuitous
 * ARP (net.ipv4.conf.IF.arp_notify 1) and its unsolicited neighbor advertisement (net.ipv6.conf.IF.ndisc_notify 1).
 * Read with a packet socket at the other end of a veth pair in a fresh network namespace, recorded 2026-11-26:
 *
 *   ip link add name va address 02:00:5e:00:53:01 type veth peer name vb
 *   ip address add 192.0.2.10/32 dev va; ip address add 2001:db8::10/128 dev va nodad
 *   ip link set vb up; ip link set va up
 */
export const HARDWARE_ADDRESS = '02005e005301';

export const GRATUITOUS_ARP = {
  address: '192.0.2.10',
  frame: 'ffffffffffff02005e0053010806000108000604000102005e005301c000020a000000000000c000020a',
} as const;

export const UNSOLICITED_ADVERTISEMENTS = [
  {
    address: '2001:db8::10',
    frame:
      '33330000000102005e00530186dd6000000000203aff20010db8000000000000000000000010ff020000000000000000000000000001' +
      '8800480c2000000020010db8000000000000000000000010020102005e005301',
  },
  /** For the interface's own link-local address. */
  {
    address: 'fe80::5eff:fe00:5301',
    frame:
      '33330000000102005e00530186dd6000000000203afffe8000000000000000005efffe005301ff020000000000000000000000000001' +
      '8800469920000000fe8000000000000000005efffe005301020102005e005301',
  },
] as const;
