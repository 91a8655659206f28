import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';

/** "user:password", or null for none. Asked again at every connection, so that a rotated secret is picked up. */
export type LoadAuth = () => Result<string | null, CodedError>;

/** PEM texts. */
export interface TlsMaterial {
  /** The authorities that we trust; absent = those that Node brings. */
  readonly ca?: string | Buffer;
  /** Our certificate with its key, for servers that want to know us. */
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface StoreTls {
  /** Called at every connection, so that rotated files are picked up. */
  readonly load: () => Result<TlsMaterial, CodedError>;
  /** The name that the servers' certificates carry, when it is not the host that we dial. */
  readonly serverName?: string;
}
