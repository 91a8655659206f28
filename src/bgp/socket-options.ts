import { err, ok, type Result } from '../core/result.ts';
import { familyOf, type IpAddress } from '../model/address.ts';
import {
  bindSocket,
  closeDescriptor,
  hostOrder16,
  hostOrder32,
  openTcpSocket,
  setSocketOption,
  socketAddress,
} from './native-socket.ts';
import type { PeerSettings } from './port.ts';

/** Levels are protocol numbers: <netinet/in.h>. */
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
/** <linux/in.h> */
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MINTTL = 21;
/** <linux/in6.h> */
const IPV6_UNICAST_HOPS = 16;
const IPV6_TCLASS = 67;
const IPV6_MINHOPCOUNT = 73;
/** <linux/tcp.h> */
const TCP_MD5SIG = 14;
const TCP_USER_TIMEOUT = 18;

/** DSCP class selector 6, network control: RFC 4271 appendix E asks for it by its old name, precedence 110. */
const TRAFFIC_CLASS_CS6 = 0xc0;
/** RFC 5082 section 3: what a packet is sent with that nobody has forwarded. */
const MAX_TTL = 255;

/** struct tcp_md5sig of <linux/tcp.h>: address (128), flags, prefix length, key length (2), interface (4), key (80). */
const MD5_STRUCT_LENGTH = 216;
const MD5_KEY_LENGTH_OFFSET = 130;
const MD5_KEY_OFFSET = 136;
const MD5_MAX_KEY = 80;

export type SocketTarget = Pick<
  PeerSettings,
  'address' | 'port' | 'password' | 'ttlSecurityHops' | 'ttl' | 'localAddress'
>;

interface SocketOption {
  readonly name: string;
  readonly level: number;
  readonly option: number;
  readonly value: Uint8Array;
}

/**
 * A socket with everything set that must be there before the first SYN: key, hop limits, class, source address.
 * @param userTimeoutMs after how long without an acknowledgement the kernel gives the connection up
 * @returns the file descriptor, or which call failed and why
 */
export function openBgpSocket(target: SocketTarget, userTimeoutMs: number): Result<number, string> {
  const key = target.password === null ? null : md5Signature(target.address, target.password);
  if (key?.ok === false) return key;
  const socket = openTcpSocket(familyOf(target.address));
  if (!socket.ok) return err(`socket: ${socket.error}`);
  const fd = socket.value;
  const options = socketOptions(target, userTimeoutMs);
  if (key !== null) options.push({ name: 'TCP_MD5SIG', level: IPPROTO_TCP, option: TCP_MD5SIG, value: key.value });
  for (const { name, level, option, value } of options) {
    const set = setSocketOption(fd, level, option, value);
    if (set.ok) continue;
    closeDescriptor(fd);
    return err(`${name}: ${set.error}`);
  }
  if (target.localAddress !== null) {
    const bound = bindSocket(fd, target.localAddress);
    if (!bound.ok) {
      closeDescriptor(fd);
      return err(`bind to ${target.localAddress}: ${bound.error}`);
    }
  }
  return ok(fd);
}

function socketOptions(target: SocketTarget, userTimeoutMs: number): SocketOption[] {
  const isIpv4 = familyOf(target.address) === 'ipv4';
  const level = isIpv4 ? IPPROTO_IP : IPPROTO_IPV6;
  const integer = (name: string, option: number, value: number): SocketOption => ({
    name,
    level,
    option,
    value: hostOrder32(value),
  });
  const options = [
    isIpv4 ? integer('IP_TOS', IP_TOS, TRAFFIC_CLASS_CS6) : integer('IPV6_TCLASS', IPV6_TCLASS, TRAFFIC_CLASS_CS6),
    { name: 'TCP_USER_TIMEOUT', level: IPPROTO_TCP, option: TCP_USER_TIMEOUT, value: hostOrder32(userTimeoutMs) },
  ];
  const ttl = target.ttlSecurityHops === null ? target.ttl : MAX_TTL;
  if (ttl !== null) {
    options.push(isIpv4 ? integer('IP_TTL', IP_TTL, ttl) : integer('IPV6_UNICAST_HOPS', IPV6_UNICAST_HOPS, ttl));
  }
  if (target.ttlSecurityHops !== null) {
    // RFC 5082 section 3: one hop means that nobody has forwarded the packet.
    const least = MAX_TTL + 1 - target.ttlSecurityHops;
    options.push(
      isIpv4 ? integer('IP_MINTTL', IP_MINTTL, least) : integer('IPV6_MINHOPCOUNT', IPV6_MINHOPCOUNT, least),
    );
  }
  return options;
}

/** The key that segments to and from this peer are signed with: RFC 2385. */
export function md5Signature(peer: IpAddress, password: string): Result<Uint8Array, string> {
  const key = new TextEncoder().encode(password);
  if (key.length === 0 || key.length > MD5_MAX_KEY) {
    return err(`the TCP-MD5 key has ${key.length} octets, 1 to ${MD5_MAX_KEY} are possible`);
  }
  const signature = new Uint8Array(MD5_STRUCT_LENGTH);
  signature.set(socketAddress(peer, 0), 0);
  signature.set(hostOrder16(key.length), MD5_KEY_LENGTH_OFFSET);
  signature.set(key, MD5_KEY_OFFSET);
  return ok(signature);
}
