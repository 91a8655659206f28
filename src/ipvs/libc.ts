import koffi from 'koffi';
import { CodedError } from '../core/errors.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';

/** The system calls for sockets that Node cannot open. Each returns a negative number where the kernel refuses. */
export interface Libc {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Uint8Array, length: number) => number;
  readonly setsockopt: (fd: number, level: number, option: number, value: Uint8Array, length: number) => number;
  /** `value` and `length`, a u32, are written to. */
  readonly getsockopt: (fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array) => number;
  readonly sendto: (
    fd: number,
    data: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number;
  /** Why the call before this one was refused. */
  readonly errno: () => number;
}

/** The only place where IPVS code calls into the C library. Reading and writing are Node's own business. */
export function loadLibc(): Result<Libc, CodedError> {
  try {
    const library = koffi.load('libc.so.6');
    return ok({
      socket: library.func('int socket(int, int, int)') as Libc['socket'],
      bind: library.func('int bind(int, const void *, uint32_t)') as Libc['bind'],
      setsockopt: library.func('int setsockopt(int, int, int, const void *, uint32_t)') as Libc['setsockopt'],
      getsockopt: library.func('int getsockopt(int, int, int, void *, void *)') as Libc['getsockopt'],
      sendto: library.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)') as Libc['sendto'],
      errno: () => koffi.errno(),
    });
  } catch (cause) {
    return err(new CodedError('NETLINK_UNAVAILABLE', 'the C library could not be loaded', { cause }));
  }
}
