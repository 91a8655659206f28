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

/** include/uapi/linux/if_addr.h, IFA_* */
export const ADDRESS = {
  /** This host's address; the kernel leaves it out for IPv6 but on point-to-point links. */
  local: { id: 2, type: 'bytes' },
  /** The peer's address on point-to-point links, the address itself elsewhere. */
  address: { id: 1, type: 'bytes' },
} as const satisfies AttributeTable;

/** include/uapi/linux/if_link.h, IFLA_* */
export const LINK = {
  name: { id: 3, type: 'string' },
} as const satisfies AttributeTable;
