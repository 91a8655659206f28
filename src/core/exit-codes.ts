import { assertNever } from './result.ts';
import type { ErrorCode } from './errors.ts';

/** Why the program ended. Part of the public interface: supervisors and scripts decide by them. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'Done.' },
  failure: { code: 1, meaning: 'It failed; the message says why.' },
  usage: { code: 2, meaning: 'The command line is wrong.' },
  invalid: { code: 3, meaning: 'A record or the bootstrap file is not valid; nothing was written or started.' },
  storeUnreachable: { code: 4, meaning: 'The store cannot be reached.' },
  conflict: { code: 5, meaning: 'The record changed meanwhile; read it again.' },
  stateDirLocked: { code: 6, meaning: 'Another agent runs with the same state directory.' },
  apiListen: { code: 7, meaning: 'The API cannot listen on its address.' },
  changes: { code: 8, meaning: 'There are changes to be made (vipkeeper plan); nothing was written.' },
} as const;

export type ExitName = keyof typeof EXIT_CODES;

/** The exit code that an operation's failure ends the program with. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[exitNameOf(code)].code;
}

function exitNameOf(code: ErrorCode): ExitName {
  switch (code) {
    case 'STORE_UNREACHABLE':
    case 'STORE_DISCONNECTED':
      return 'storeUnreachable';
    case 'STORE_CONFLICT':
      return 'conflict';
    case 'STATE_DIR_LOCKED':
      return 'stateDirLocked';
    case 'API_LISTEN':
      return 'apiListen';
    case 'BOOTSTRAP_INVALID':
    case 'SECRET_UNREADABLE':
    case 'BGP_CONFIG':
      return 'invalid';
    case 'STORE_SESSION_EXPIRED':
    case 'STORE_AUTH_FAILED':
    case 'STORE_FORBIDDEN':
    case 'STORE_NOT_FOUND':
    case 'STORE_TOO_LARGE':
    case 'STORE_PROTOCOL':
    case 'STORE_CLOSED':
    case 'STATE_DIR_UNUSABLE':
    case 'STATE_FILE_CORRUPT':
    case 'NETLINK_UNAVAILABLE':
    case 'NETLINK_REFUSED':
    case 'NETLINK_LOST':
    case 'NETLINK_MALFORMED':
    case 'NEIGHBORS_NOT_TOLD':
    case 'SYSCTL_REFUSED':
    case 'IPVSADM_FAILED':
    case 'NFT_FAILED':
    case 'CHECK_NOT_RUN':
    case 'WORKER_DIED':
    case 'NOTHING_IN_FORCE':
    case 'INTERNAL':
      return 'failure';
    default:
      return assertNever(code);
  }
}
