import koffi from 'koffi';
import { getSystemErrorName } from 'node:util';
import { err, ok, type Result } from '../core/result.ts';
import { addressBytes, type Family, familyOf, type IpAddress } from '../model/address.ts';

/*
 * The few libc calls that Node's net module has no words for. Nothing here keeps state: a file descriptor is made,
 * prepared, and given to net.Socket, which owns it from then on.
 */

/** <bits/socket.h>, <asm-generic/fcntl.h>, <asm-generic/ioctls.h> */
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SIOCOUTQ = 0x5411n;

type Call = (...args: unknown[]) => number;

interface Libc {
  readonly socket: Call;
  readonly setsockopt: Call;
  readonly bind: Call;
  readonly close: Call;
  readonly ioctl: Call;
}

let loaded: Libc | undefined;

function libc(): Libc {
  if (loaded === undefined) {
    const library = koffi.load(null);
    const define = (signature: string): Call => library.func(signature) as Call;
    loaded = {
      socket: define('int socket(int, int, int)'),
      setsockopt: define('int setsockopt(int, int, int, const void *, uint32_t)'),
      bind: define('int bind(int, const void *, uint32_t)'),
      close: define('int close(int)'),
      ioctl: define('int ioctl(int, unsigned long, ...)'),
    };
  }
  return loaded;
}

/** The name of the last call's error, such as EPERM. */
function errno(): string {
  return getSystemErrorName(-koffi.errno());
}

/** A TCP socket that is not connected yet. */
export function openTcpSocket(family: Family): Result<number, string> {
  const domain = family === 'ipv4' ? AF_INET : AF_INET6;
  const fd = libc().socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? err(errno()) : ok(fd);
}

export function setSocketOption(fd: number, level: number, option: number, value: Uint8Array): Result<null, string> {
  return libc().setsockopt(fd, level, option, value, value.length) < 0 ? err(errno()) : ok(null);
}

/** Binds to an address with a port of the kernel's choice. */
export function bindSocket(fd: number, address: IpAddress): Result<null, string> {
  const name = socketAddress(address, 0);
  return libc().bind(fd, name, name.length) < 0 ? err(errno()) : ok(null);
}

export function closeDescriptor(fd: number): void {
  libc().close(fd);
}

/** Octets that were written and that the peer's kernel has not acknowledged: SIOCOUTQ, tcp(7). Zero if unknown. */
export function unacknowledgedBytes(fd: number): number {
  const value = new Int32Array(1);
  return libc().ioctl(fd, SIOCOUTQ, 'void *', value) < 0 ? 0 : (value[0] ?? 0);
}

/** struct sockaddr_in (16 octets) or sockaddr_in6 (28): family in host order, port and address in network order. */
export function socketAddress(address: IpAddress, port: number): Uint8Array {
  const isIpv4 = familyOf(address) === 'ipv4';
  const name = new Uint8Array(isIpv4 ? 16 : 28);
  name.set(hostOrder16(isIpv4 ? AF_INET : AF_INET6), 0);
  name[2] = port >> 8;
  name[3] = port & 0xff;
  // struct in6_addr comes after sin6_flowinfo.
  name.set(addressBytes(address), isIpv4 ? 4 : 8);
  return name;
}

export function hostOrder16(value: number): Uint8Array {
  return new Uint8Array(Uint16Array.of(value).buffer);
}

export function hostOrder32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
