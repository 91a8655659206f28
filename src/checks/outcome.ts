/** What one probe found out. Latencies are milliseconds with a fraction. */
export type ProbeOutcome =
  | { readonly kind: 'success'; readonly cause: string; readonly latencyMs: number }
  | {
      readonly kind: 'failure';
      readonly cause: string;
      readonly latencyMs: number;
      /**
       * 'answer': the real, or the network in its name, said no. 'absence': something did not come in time, which
       * proves nothing when we ourselves were late.
       */
      readonly proof: 'answer' | 'absence';
    }
  /** We could not ask: this says nothing about the real. */
  | { readonly kind: 'notRun'; readonly cause: string };

/** Errors of connect(2), send(2) and recv(2) that the other side or the path to it caused (asm-generic/errno.h). */
const THEIRS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused by',
  ECONNRESET: 'connection reset by',
  ECONNABORTED: 'connection aborted by',
  EPIPE: 'connection closed by',
  EHOSTUNREACH: 'no route to host, or no ARP/ND answer, for',
  EHOSTDOWN: 'host is down:',
  ETIMEDOUT: 'connection timed out to',
};

/** Errors that are our own shortage or misconfiguration, whatever the real is like. */
const OURS: Readonly<Record<string, string>> = {
  EMFILE: 'too many open files in this process',
  ENFILE: 'too many open files on this system',
  ENOBUFS: 'no buffer space left',
  ENOMEM: 'out of memory',
  EAGAIN: 'no local port or route cache entry left',
  EADDRNOTAVAIL: 'no local address or port available',
  EADDRINUSE: 'local address in use',
  ENETUNREACH: 'this host has no route to the network',
  ENETDOWN: "this host's network is down",
  EAFNOSUPPORT: 'this host lacks the address family',
  EINVAL: 'this host refuses the address',
  EACCES: 'this host does not permit the connection',
  EPERM: 'this host does not permit the connection',
};

/** The fields that Node adds to a system error; all of them may be absent. */
interface SystemErrorFields extends Error {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly reason?: unknown;
}

/**
 * Judges an error of a socket, a TLS handshake or the HTTP parser.
 * @param endpoint where the probe went, for the text
 * @param phase what the probe was doing, for errors that carry no better word
 */
export function outcomeOfError(error: Error, endpoint: string, phase: string, latencyMs: number): ProbeOutcome {
  const { code, syscall, reason }: SystemErrorFields = error;
  const name = typeof code === 'string' ? code : '';
  const ours = OURS[name];
  if (ours !== undefined) return { kind: 'notRun', cause: `${ours} (${name}, ${endpoint})` };
  if (name === 'EPROTO') {
    // Node wraps OpenSSL's error queue in it: "…:SSL routines:function:reason:file:line:".
    const detail = /SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1] ?? shortened(error.message);
    return { kind: 'failure', cause: `TLS error: ${detail}, ${phase}`, latencyMs, proof: 'answer' };
  }
  if (typeof syscall === 'string') {
    const theirs = THEIRS[name];
    // An errno that nobody has judged yet must not take a real out of service.
    if (theirs === undefined) return { kind: 'notRun', cause: `${syscall} failed with ${name} (${endpoint})` };
    const proof = name === 'ECONNREFUSED' || name === 'EHOSTUNREACH' || name === 'EHOSTDOWN' ? 'answer' : 'absence';
    return { kind: 'failure', cause: `${theirs} ${endpoint}, ${phase}`, latencyMs, proof };
  }
  // Without a system call behind it, Node's ECONNRESET means "closed before the end" (socket hang up, TLS truncated).
  if (name === 'ECONNRESET') {
    return { kind: 'failure', cause: `connection closed by ${endpoint}, ${phase}`, latencyMs, proof: 'absence' };
  }
  const detail = typeof reason === 'string' && reason !== '' ? reason : error.message;
  return {
    kind: 'failure',
    cause: `${shortened(detail)} (${name || error.name}), ${phase}`,
    latencyMs,
    proof: 'answer',
  };
}

const CAUSE_LIMIT = 160;

/** Texts from the other side (certificate names, reason phrases) are cut and freed of control characters. */
export function shortened(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return plain.length > CAUSE_LIMIT ? `${plain.slice(0, CAUSE_LIMIT)}...` : plain;
}

/** "0.4 ms", "3 ms". */
export function formatMs(ms: number): string {
  return `${ms < 1 ? Math.max(ms, 0.1).toFixed(1) : Math.round(ms).toString()} ms`;
}
