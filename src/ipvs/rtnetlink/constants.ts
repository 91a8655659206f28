import type { AttributeTable } from '../netlink/attribute-table.ts';

/** include/uapi/linux/rtnetlink.h */
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWLINK = 16;
export const RTM_GETLINK = 18;
export const RT_SCOPE_UNIVERSE = 0;

/** include/uapi/linux/if_addr.h: usable at once, without duplicate address detection. */
export const IFA_F_NODAD = 0x02;

/**
 * Our mark on addresses in IFA_PROTO. The kernel uses 1 to 3 (IFAPROT_KERNEL_*); nobody else has asked for 118 so far
 * (/etc/iproute2/rt_addrprotos).
 */
export const ADDRESS_PROTOCOL = 118;
/** Our mark on IPv4 addresses in IFA_LABEL, after the name of the interface. */
export const LABEL_SUFFIX = ':vk';
/** IFNAMSIZ with the closing NUL. */
export const LABEL_BYTES = 16;

/** include/uapi/linux/if_addr.h, IFA_* */
export const ADDRESS = {
  /** This host's address; the kernel leaves it out for IPv6 but on point-to-point links. */
  local: { id: 2, type: 'bytes' },
  /** The peer's address on point-to-point links, the address itself elsewhere. */
  address: { id: 1, type: 'bytes' },
  /** IPv4 only: a name that begins with that of the interface. */
  label: { id: 3, type: 'string' },
  /** IFA_PROTO, who put it there: Linux 5.18 and newer; older kernels skip it. */
  protocol: { id: 11, type: 'u8' },
} as const satisfies AttributeTable;

/** include/uapi/linux/if_link.h, IFLA_* */
export const LINK = {
  /** The hardware address, as long as the kind of link has it. */
  address: { id: 1, type: 'bytes' },
  name: { id: 3, type: 'string' },
} as const satisfies AttributeTable;

/** include/uapi/linux/if.h: flags of an interface. */
export const IFF_LOOPBACK = 0x08;
/** It is up, and so is its carrier. */
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;

/** include/uapi/linux/if_arp.h: the kind of link. VLANs, bonds, bridges and veth are Ethernet, too. */
export const ARPHRD_ETHER = 1;
