/**
 * Names of the errors that netlink, IPVS and rtnetlink answer with (include/uapi/asm-generic/errno-base.h and
 * errno.h), and what each means in general. Node's own table (util.getSystemErrorName) goes by libuv's numbers, which
 * lack several of these.
 */
const ERRNO = {
  1: ['EPERM', 'operation not permitted: CAP_NET_ADMIN is needed'],
  2: ['ENOENT', 'there is no such entry'],
  3: ['ESRCH', 'there is no such service'],
  4: ['EINTR', 'interrupted'],
  5: ['EIO', 'input/output error'],
  6: ['ENXIO', 'no such device or address'],
  7: ['E2BIG', 'argument list too long'],
  11: ['EAGAIN', 'the kernel is busy; try again'],
  12: ['ENOMEM', 'the kernel is out of memory'],
  13: ['EACCES', 'permission denied'],
  16: ['EBUSY', 'the entry is in use'],
  17: ['EEXIST', 'it exists already'],
  19: ['ENODEV', 'there is no such interface'],
  22: ['EINVAL', 'the kernel found the values invalid'],
  34: ['ERANGE', 'a value is out of range'],
  90: ['EMSGSIZE', 'the message is too long'],
  92: ['ENOPROTOOPT', 'no such option'],
  93: ['EPROTONOSUPPORT', 'the kernel was built without this protocol'],
  95: ['EOPNOTSUPP', 'the kernel does not support this'],
  97: ['EAFNOSUPPORT', 'the kernel was built without this address family'],
  99: ['EADDRNOTAVAIL', 'there is no such address'],
  100: ['ENETDOWN', 'the interface is down'],
  105: ['ENOBUFS', 'the receive buffer overran'],
  110: ['ETIMEDOUT', 'timed out'],
} as const satisfies Readonly<Record<number, readonly [name: string, meaning: string]>>;

const BY_NUMBER: Readonly<Record<number, readonly [name: string, meaning: string] | undefined>> = ERRNO;
const NUMBERS = new Map<string, number>(Object.entries(ERRNO).map(([number, [name]]) => [name, Number(number)]));

/** "EEXIST", or "errno 4711" for a number without a name here. */
export function errnoName(errno: number): string {
  return BY_NUMBER[errno]?.[0] ?? `errno ${errno}`;
}

export function errnoMeaning(name: string): string {
  return BY_NUMBER[NUMBERS.get(name) ?? -1]?.[1] ?? 'the kernel refused';
}
