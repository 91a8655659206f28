import { closeSync } from 'node:fs';
import { endianness } from 'node:os';
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from './constants.ts';
import { KernelRefusal } from '../kernel-refusal.ts';
import { loadLibc } from '../libc.ts';
import type { Libc } from '../libc.ts';
import { errnoMeaning, errnoName } from './errno.ts';

/** Room for the answers to one batch and for the parts of a dump, with the kernel's own overhead for each. */
export const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

export interface NetlinkFd {
  readonly fd: number;
  /** What the kernel granted, its own overhead for each answer included. */
  readonly receiveBufferBytes: number;
}

/**
 * A bound, non-blocking netlink socket as a file descriptor, to be read and written by Node.
 * @param protocol NETLINK_GENERIC, NETLINK_ROUTE or NETLINK_NETFILTER
 */
export function openNetlinkFd(protocol: number, receiveBufferBytes: number): Result<NetlinkFd, CodedError> {
  if (endianness() !== 'LE') {
    return err(unavailable('netlink is only spoken on little-endian machines; use the ipvsadm dataplane'));
  }
  const libc = loadLibc();
  if (!libc.ok) return libc;
  const { socket, bind } = libc.value;
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return err(failed('socket', libc.value));
  // struct sockaddr_nl: the kernel picks the port number, and no multicast group is joined.
  const address = new Uint8Array(12);
  new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
  if (bind(fd, address, address.length) < 0) {
    const error = failed('bind', libc.value);
    closeSync(fd);
    return err(error);
  }
  // Above net.core.rmem_max only with CAP_NET_ADMIN; without it the kernel grants what it may.
  if (!setOption(libc.value, fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes)) {
    setOption(libc.value, fd, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
  }
  // Each spares bytes or adds words; kernels older than each go without.
  for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
    setOption(libc.value, fd, SOL_NETLINK, option, 1);
  }
  return ok({ fd, receiveBufferBytes: grantedBuffer(libc.value, fd) });
}

/** SO_RCVBUF answers twice what was asked for, and counts all that an answer takes in the kernel: socket(7). */
function grantedBuffer({ getsockopt }: Libc, fd: number): number {
  const value = new Uint8Array(4);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, value.length, true);
  if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, length) < 0) return 0;
  return new DataView(value.buffer).getInt32(0, true);
}

function setOption({ setsockopt }: Libc, fd: number, level: number, option: number, value: number): boolean {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return setsockopt(fd, level, option, bytes, bytes.length) === 0;
}

function failed(call: string, { errno }: Libc): KernelRefusal {
  const name = errnoName(errno());
  const text = `${call}() of a netlink socket failed: ${name}, ${errnoMeaning(name)}`;
  return new KernelRefusal(name, text, { code: 'NETLINK_UNAVAILABLE' });
}

function unavailable(text: string): CodedError {
  return new CodedError('NETLINK_UNAVAILABLE', text);
}
