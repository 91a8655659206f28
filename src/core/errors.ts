/**
 * Every code an operation of the agent can fail with. `docs/reference/errors.md` explains each; a test holds the two
 * together. Codes are part of the public interface: they appear in logs, in the API and in problems.
 */
export const ERROR_CODES = {
  STORE_UNREACHABLE: 'No member of the ensemble accepted a connection before the deadline.',
  STORE_DISCONNECTED: 'The connection to the store broke while the request was under way; its outcome is not known.',
  STORE_SESSION_EXPIRED: 'The store ended our session or lease; everything ephemeral we had written is gone.',
  STORE_AUTH_FAILED: 'The store refused our credentials.',
  STORE_FORBIDDEN: 'Our credentials do not allow this read or write.',
  STORE_CONFLICT: 'The record changed, appeared or vanished since it was read.',
  STORE_NOT_FOUND: 'There is no record at that path.',
  STORE_TOO_LARGE: 'A request or reply exceeds the limit that we or the store set.',
  STORE_PROTOCOL: 'The store answered with bytes or an error code that we do not understand.',
  STORE_CLOSED: 'The source was closed; no further requests are taken.',
  BOOTSTRAP_INVALID: 'The bootstrap file is missing, unreadable, or does not describe a valid agent.',
  SECRET_UNREADABLE: 'A secret reference (file: or env:) could not be resolved.',
  STATE_DIR_LOCKED: 'Another agent is running with the same state directory.',
  STATE_DIR_UNUSABLE: 'The state directory cannot be made, read or written to.',
  STATE_FILE_CORRUPT: 'A state file is torn, truncated, tampered with, or of a newer format.',
  NETLINK_UNAVAILABLE: 'A netlink socket could not be opened, or the kernel lacks the family we need.',
  NETLINK_REFUSED: 'The kernel refused one netlink request; the errno is in the message.',
  NETLINK_LOST: 'Replies were lost (receive buffer overrun, closed socket, time-out): the outcome is not known.',
  NETLINK_MALFORMED: 'A netlink message from the kernel does not parse.',
  NEIGHBORS_NOT_TOLD:
    'Gratuitous ARP or a neighbor advertisement for a VIP could not be sent: others may go on sending to its last holder.',
  SYSCTL_REFUSED: 'The kernel did not take a value under /proc/sys, or has no such setting.',
  IPVSADM_FAILED: 'ipvsadm exited with an error or wrote to stderr.',
  NFT_FAILED: 'nft exited with an error, refused an operation, or printed what we cannot read.',
  CHECK_NOT_RUN: 'A health check could not be carried out; this says nothing about the real.',
  BGP_CONFIG: 'The BGP settings cannot be used.',
  WORKER_DIED: 'A worker thread ended without being asked to.',
  NOTHING_IN_FORCE: 'There is no configuration in force (yet, or any more), so there is nothing to do.',
  API_LISTEN: 'The API could not listen on its address.',
  INTERNAL: 'A defect in vipkeeper itself.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An operation that failed. `transient`: trying again later, with nothing changed, may succeed. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: ErrorCode;
  readonly transient: boolean;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; transient?: boolean } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.transient = options.transient ?? false;
  }
}

/** The text of anything that was thrown, with the chain of causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof CodedError ? `${error.code}: ${error.message}` : error.message;
  return error.cause === undefined ? own : `${own} (${describeError(error.cause)})`;
}

export function asCodedError(error: unknown, code: ErrorCode = 'INTERNAL'): CodedError {
  if (error instanceof CodedError) return error;
  return new CodedError(code, describeError(error), { cause: error });
}
