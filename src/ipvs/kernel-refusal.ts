import { CodedError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';

/** The kernel said no, and why: `errno` is the name of the error, such as EEXIST. */
export class KernelRefusal extends CodedError {
  readonly errno: string;

  constructor(
    errno: string,
    message: string,
    options: { readonly code?: ErrorCode; readonly transient?: boolean } = {},
  ) {
    super(options.code ?? 'NETLINK_REFUSED', message, { transient: options.transient ?? TRANSIENT.has(errno) });
    this.errno = errno;
  }
}

const TRANSIENT: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY', 'EINTR', 'ENOMEM', 'ENOBUFS', 'ETIMEDOUT']);

/** The errno by name if the kernel refused; null for every other kind of error. */
export function errnoOf(error: unknown): string | null {
  return error instanceof KernelRefusal ? error.errno : null;
}
