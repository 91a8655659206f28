import { CodedError, describeError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';

interface Row {
  /** Matched against "STATUS-NUMBER STATUS-NAME: details", the form in which gRPC errors come. */
  readonly match: RegExp;
  readonly code: ErrorCode;
  readonly transient?: true;
}

/**
 * What gRPC (status codes of grpc/grpc doc/statuscodes.md) and etcd (texts of etcd's api/v3rpc/rpctypes/error.go) say,
 * in our words. The first row that matches counts, so texts stand before the status that carries them.
 */
const TABLE: readonly Row[] = [
  { match: /requested lease not found/, code: 'STORE_SESSION_EXPIRED', transient: true },
  {
    match: /authentication failed|user name (is empty|not found)|authentication is not enabled/,
    code: 'STORE_AUTH_FAILED',
  },
  { match: /token refused/, code: 'STORE_AUTH_FAILED', transient: true },
  { match: /permission denied/i, code: 'STORE_FORBIDDEN' },
  { match: /request is too large|too many operations in txn|larger than max/, code: 'STORE_TOO_LARGE' },
  { match: /database space exceeded/, code: 'STORE_TOO_LARGE', transient: true },
  { match: /too many requests/, code: 'STORE_UNREACHABLE', transient: true },
  { match: /required revision has been compacted/, code: 'STORE_CONFLICT', transient: true },
  // Refused before it was sent: nothing can have happened at the store.
  {
    match: /^14 .*(No connection established|Name resolution failed|no leader|not capable)/,
    code: 'STORE_UNREACHABLE',
    transient: true,
  },
  { match: /^(1|4|14) /, code: 'STORE_DISCONNECTED', transient: true },
  { match: /^7 /, code: 'STORE_FORBIDDEN' },
  { match: /^8 /, code: 'STORE_TOO_LARGE', transient: true },
  { match: /^16 /, code: 'STORE_AUTH_FAILED' },
  { match: /^10 /, code: 'STORE_CONFLICT', transient: true },
  { match: /client was already closed/, code: 'STORE_DISCONNECTED', transient: true },
];

export function etcdError(error: unknown, doing: string): CodedError {
  if (error instanceof CodedError) return error;
  const text = describeError(error);
  const row = TABLE.find((each) => each.match.test(text));
  return new CodedError(row?.code ?? 'STORE_PROTOCOL', `${doing}: ${text}`, {
    transient: row?.transient ?? false,
  });
}

/** Whether the error says something about the connection, so that another member should be tried. */
export function breaksConnection(error: CodedError): boolean {
  return error.code === 'STORE_UNREACHABLE' || error.code === 'STORE_DISCONNECTED' || error.code === 'STORE_PROTOCOL';
}

export function isCompacted(error: CodedError): boolean {
  return error.message.includes('required revision has been compacted');
}
