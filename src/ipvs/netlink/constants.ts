/*
 * Numbers of the netlink protocol, under the names that the kernel's headers give them.
 */

/** include/linux/socket.h */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/** include/uapi/asm-generic/socket.h */
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_RCVBUFFORCE = 33;

/** include/uapi/linux/netlink.h */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
export const SOL_NETLINK = 270;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;

/** include/uapi/linux/netlink.h: message types below NLMSG_MIN_TYPE belong to netlink itself. */
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

/** include/uapi/linux/netlink.h: nlmsg_flags of every message. */
export const NLM_F_REQUEST = 0x01;
export const NLM_F_MULTI = 0x02;
export const NLM_F_ACK = 0x04;
/** A dump was overtaken by a change: entries may be missing or doubled. */
export const NLM_F_DUMP_INTR = 0x10;
/** nlmsg_flags of GET requests: NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;
/** nlmsg_flags of NEW requests. */
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** nlmsg_flags of NLMSG_ERROR: the request's payload is not echoed; attributes follow. */
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

/** include/uapi/linux/netlink.h, enum nlmsgerr_attrs: the human-readable reason. */
export const NLMSGERR_ATTR_MSG = 1;

/** include/uapi/linux/netlink.h: the two top bits of nla_type are flags. */
export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

/** include/uapi/linux/genetlink.h: the controller that tells family numbers. */
export const GENL_ID_CTRL = 0x10;
export const CTRL_CMD_GETFAMILY = 3;
export const CTRL_ATTR_FAMILY_ID = 1;
export const CTRL_ATTR_FAMILY_NAME = 2;
