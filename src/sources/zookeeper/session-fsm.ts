/**
 * The life of a ZooKeeper session as a function from state and event to state and actions: no socket, no clock.
 *
 *   idle → resolving → dialing → greeting → authenticating → connected → closing → closed
 *              ↑            ↑_______ any failure ______|          |
 *              |_ waiting ←____ all of them failed                |
 *              |__________________________________________________|
 *
 * A session outlives its connections: `session` stays while we look for another server, and only a server's word ends
 * it.
 */
import { CodedError } from '../../core/errors.ts';
import type { SessionIdentity, Welcome } from './messages.ts';

export type Phase =
  'idle' | 'resolving' | 'dialing' | 'greeting' | 'authenticating' | 'connected' | 'waiting' | 'closing' | 'closed';

export interface FsmSettings {
  readonly sessionTimeoutMs: number;
  /** From the first SYN until we are authenticated. */
  readonly connectTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly allowReadOnly: boolean;
}

export interface FsmState {
  readonly phase: Phase;
  /** How many servers there are, as far as their names could be resolved. */
  readonly servers: number;
  /** Index of the server we are at, or tried last. */
  readonly server: number;
  /** Attempts that failed since a connection last proved steady. */
  readonly failures: number;
  /** The servers that hung up on our greeting since we were last connected. */
  readonly snubs: readonly number[];
  /** Monotonic time at which we were last connected, or started. */
  readonly seenAt: number;
  readonly session: { readonly identity: SessionIdentity; readonly timeoutMs: number } | null;
  /** The server we are at has lost its ensemble and answers from memory; our session is known to it alone. */
  readonly readOnly: boolean;
  /** A server with an ensemble has welcomed us since the start. */
  readonly metEnsemble: boolean;
  readonly lastError: CodedError | null;
}

export type FsmEvent =
  | { readonly kind: 'start'; readonly at: number }
  /** The names are resolved, as far as they can be. */
  | { readonly kind: 'resolved'; readonly servers: number; readonly error: CodedError | null }
  /** The transport is open, TLS included. */
  | { readonly kind: 'opened' }
  | { readonly kind: 'welcomed'; readonly welcome: Welcome }
  /** The server took our credentials, or we have none. */
  | { readonly kind: 'authenticated' }
  /** The connection has lasted long enough to be trusted. */
  | { readonly kind: 'steady' }
  | { readonly kind: 'broken'; readonly at: number; readonly error: CodedError }
  | { readonly kind: 'deadline'; readonly at: number }
  /** While we are at a read-only server: another one can write. */
  | { readonly kind: 'writerFound'; readonly at: number; readonly server: number }
  /** A reply on a live connection said that the session has expired. */
  | { readonly kind: 'expired'; readonly at: number }
  | { readonly kind: 'retryDue' }
  | { readonly kind: 'close'; readonly keepSession: boolean }
  | { readonly kind: 'closeAnswered' };

export type FsmAction =
  /** Names may lead elsewhere by now: whenever a connection is lost, and before each round. */
  | { readonly kind: 'resolve' }
  | { readonly kind: 'dial'; readonly server: number }
  | { readonly kind: 'greet'; readonly identity: SessionIdentity | null; readonly readOnly: boolean }
  | { readonly kind: 'authenticate' }
  /** The one deadline of whatever is going on; replaces the one before. */
  | { readonly kind: 'armDeadline'; readonly ms: number }
  /** Ping every `pingMs`; the deadline becomes `silenceMs` after the last byte heard. */
  | { readonly kind: 'keepAlive'; readonly pingMs: number; readonly silenceMs: number }
  /** Ask the other servers, until `hangUp`, whether they can write. */
  | { readonly kind: 'seekWriter' }
  /** Drops the transport and every timer. */
  | { readonly kind: 'hangUp' }
  | { readonly kind: 'retryLater' }
  | { readonly kind: 'resetBackoff' }
  | { readonly kind: 'sendClose' }
  /** The store may have begun again from an older transaction: accept what we would have taken for a laggard. */
  | { readonly kind: 'forgetZxid' }
  | { readonly kind: 'answerAll'; readonly error: CodedError }
  | { readonly kind: 'notify'; readonly what: 'connected' | 'lost' | 'expired' | 'closed' };

export interface Step {
  readonly state: FsmState;
  readonly actions: readonly FsmAction[];
}

export const INITIAL_STATE: FsmState = {
  phase: 'idle',
  servers: 0,
  server: -1,
  failures: 0,
  snubs: [],
  seenAt: 0,
  session: null,
  readOnly: false,
  metEnsemble: false,
  lastError: null,
};

/** Each answers on its own, so two of them must have passed before a session can be taken for gone. */
const TIMEOUTS_UNTIL_ZXID_FORGOTTEN = 2;

const READ_ONLY = new CodedError('STORE_UNREACHABLE', 'the server is read-only: it has lost its ensemble', {
  transient: true,
});

/** An event that has no meaning in a phase changes nothing: it was on its way when the phase changed. */
export function step(state: FsmState, event: FsmEvent, settings: FsmSettings): Step {
  switch (event.kind) {
    case 'start':
      return state.phase === 'idle' ? resolve({ ...state, seenAt: event.at }) : unchanged(state);
    case 'resolved':
      return state.phase === 'resolving' ? resolved(state, event.servers, event.error, settings) : unchanged(state);
    case 'opened':
      if (state.phase !== 'dialing') return unchanged(state);
      return {
        state: { ...state, phase: 'greeting' },
        actions: [{ kind: 'greet', identity: state.session?.identity ?? null, readOnly: mayRead(state, settings) }],
      };
    case 'welcomed':
      return state.phase === 'greeting' ? welcomed(state, event.welcome, settings) : unchanged(state);
    case 'authenticated':
      return state.phase === 'authenticating' ? connected(state) : unchanged(state);
    case 'steady':
      if (state.phase !== 'connected' || state.failures === 0) return unchanged(state);
      return { state: { ...state, failures: 0 }, actions: [{ kind: 'resetBackoff' }] };
    case 'broken':
      if (state.phase === 'greeting' && event.error.code === 'STORE_UNREACHABLE') {
        return snubbed(state, event.at, event.error, settings);
      }
      return broken(state, event.at, event.error, settings);
    case 'deadline':
      return broken(state, event.at, silence(state.phase, settings), settings);
    case 'writerFound':
      return state.phase === 'connected' && state.readOnly ? moveOver(state, event, settings) : unchanged(state);
    case 'expired':
      return state.phase === 'connected' ? expired({ ...state, seenAt: event.at }, settings) : unchanged(state);
    case 'retryDue':
      return state.phase === 'waiting' ? resolve(state) : unchanged(state);
    case 'close':
      return close(state, event.keepSession, settings);
    case 'closeAnswered':
      return state.phase === 'closing' ? closed(state) : unchanged(state);
  }
}

function unchanged(state: FsmState): Step {
  return { state, actions: [] };
}

function resolve(state: FsmState, before: readonly FsmAction[] = []): Step {
  return { state: { ...state, phase: 'resolving' }, actions: [...before, { kind: 'resolve' }] };
}

function resolved(state: FsmState, servers: number, error: CodedError | null, settings: FsmSettings): Step {
  // Which of them hung up on us is known by their place in the list.
  const snubs = servers === state.servers ? state.snubs : [];
  const known = { ...state, servers, snubs };
  if (servers > 0) return dialNext(known, [], settings);
  const lastError = error ?? new CodedError('STORE_UNREACHABLE', 'no server has an address', { transient: true });
  return { state: { ...known, phase: 'waiting', lastError }, actions: [{ kind: 'retryLater' }] };
}

function dialNext(state: FsmState, before: readonly FsmAction[], settings: FsmSettings): Step {
  return dial({ ...state, server: (state.server + 1) % state.servers }, before, settings);
}

function dial(state: FsmState, before: readonly FsmAction[], settings: FsmSettings): Step {
  return {
    state: { ...state, phase: 'dialing' },
    actions: [
      ...before,
      { kind: 'dial', server: state.server },
      { kind: 'armDeadline', ms: settings.connectTimeoutMs },
    ],
  };
}

function welcomed(state: FsmState, welcome: Welcome, settings: FsmSettings): Step {
  if (welcome.timeoutMs <= 0) {
    if (state.session !== null) return expired(state, settings);
    return failed(state, new CodedError('STORE_PROTOCOL', 'the server refused a new session'), settings);
  }
  if (welcome.readOnly && !mayRead(state, settings)) {
    return failed(state, READ_ONLY, settings);
  }
  return {
    state: {
      ...state,
      phase: 'authenticating',
      session: { identity: welcome.identity, timeoutMs: welcome.timeoutMs },
      readOnly: welcome.readOnly,
      metEnsemble: state.metEnsemble || !welcome.readOnly,
    },
    actions: [{ kind: 'authenticate' }],
  };
}

/**
 * A server that has lost its ensemble takes no session that was made with one (ReadOnlyZooKeeperServer.validateSession),
 * and holds nothing newer than what we have read by then, but perhaps something older. So it is of use only to those
 * who have never met an ensemble.
 */
function mayRead(state: FsmState, settings: FsmSettings): boolean {
  return settings.allowReadOnly && !state.metEnsemble;
}

function left(state: FsmState): FsmState {
  return state.readOnly ? { ...state, readOnly: false, session: null } : state;
}

function moveOver(
  state: FsmState,
  found: { readonly at: number; readonly server: number },
  settings: FsmSettings,
): Step {
  const error = new CodedError('STORE_DISCONNECTED', 'a read-only server was left for one that can write', {
    transient: true,
  });
  const to = { ...left(state), server: found.server, seenAt: found.at };
  const step = dial(to, [{ kind: 'hangUp' }, { kind: 'answerAll', error }], settings);
  return { state: step.state, actions: [...step.actions, { kind: 'notify', what: 'lost' }] };
}

function connected(state: FsmState): Step {
  // ClientCnxn's shares: half of the allowed silence passes before a ping, and a third of the session remains to find
  // another server.
  const timeoutMs = state.session?.timeoutMs ?? 0;
  return {
    state: { ...state, phase: 'connected', snubs: [], lastError: state.readOnly ? READ_ONLY : null },
    actions: [
      { kind: 'keepAlive', pingMs: timeoutMs / 3, silenceMs: (timeoutMs * 2) / 3 },
      ...(state.readOnly ? [{ kind: 'seekWriter' } as const] : []),
      { kind: 'notify', what: 'connected' },
    ],
  };
}

function broken(state: FsmState, at: number, error: CodedError, settings: FsmSettings): Step {
  switch (state.phase) {
    case 'idle':
    case 'resolving':
    case 'waiting':
    case 'closed':
      return unchanged(state);
    case 'closing':
      return closed(state);
    case 'connected': {
      const lost = new CodedError('STORE_DISCONNECTED', 'the connection broke while the request was under way', {
        transient: true,
        cause: error,
      });
      const step = failed({ ...state, seenAt: at }, error, settings, [{ kind: 'answerAll', error: lost }]);
      return { state: step.state, actions: [...step.actions, { kind: 'notify', what: 'lost' }] };
    }
    case 'dialing':
    case 'greeting':
    case 'authenticating':
      return failed(state, error, settings);
  }
}

/** Servers give no reason when they hang up on a greeting; ZooKeeperServer.processConnectRequest has these two. */
function snubbed(state: FsmState, at: number, error: CodedError, settings: FsmSettings): Step {
  const why = 'on our greeting: it may be read-only, having lost its ensemble, or have seen less than we have';
  const told = new CodedError(error.code, `${error.message} ${why}`, { transient: error.transient });
  const next = { ...state, snubs: [...new Set([...state.snubs, state.server])] };
  if (!isShutOut(next, at, settings)) return failed(next, told, settings);
  return failed({ ...next, snubs: [] }, told, settings, [{ kind: 'forgetZxid' }]);
}

/**
 * A server that has seen less than we have hangs up on our greeting, and so does one whose data were wiped or
 * restored from a backup: then every server does so for ever. Once all of them have, for longer than any session
 * lasts, we no longer say what we have seen, instead of staying outside until somebody restarts us. The session stays:
 * members that have no leader hang up just so, and know it again when they have one; a store that was wiped says that
 * it has expired.
 */
function isShutOut(state: FsmState, at: number, settings: FsmSettings): boolean {
  const timeoutMs = state.session?.timeoutMs ?? settings.sessionTimeoutMs;
  return state.snubs.length >= state.servers && at - state.seenAt >= TIMEOUTS_UNTIL_ZXID_FORGOTTEN * timeoutMs;
}

/**
 * An attempt or a connection is over: the next server at once, or after a pause when all have had their turn. After a
 * connection, which may have lasted for months, the names are resolved first.
 */
function failed(state: FsmState, error: CodedError, settings: FsmSettings, also: readonly FsmAction[] = []): Step {
  const failures = state.failures + 1;
  const next = { ...left(state), failures, lastError: error };
  const before: FsmAction[] = [{ kind: 'hangUp' }, ...also];
  if (failures % state.servers !== 0) {
    return state.phase === 'connected' ? resolve(next, before) : dialNext(next, before, settings);
  }
  return { state: { ...next, phase: 'waiting' }, actions: [...before, { kind: 'retryLater' }] };
}

/** A new session is asked for at once, at the server that told us. */
function expired(state: FsmState, settings: FsmSettings): Step {
  const error = new CodedError('STORE_SESSION_EXPIRED', 'the server ended our session', { transient: true });
  const step = dial(
    { ...left(state), session: null, lastError: error },
    [{ kind: 'hangUp' }, { kind: 'answerAll', error }],
    settings,
  );
  return { state: step.state, actions: [...step.actions, { kind: 'notify', what: 'expired' }] };
}

function close(state: FsmState, keepSession: boolean, settings: FsmSettings): Step {
  if (state.phase === 'closed' || (state.phase === 'closing' && !keepSession)) return unchanged(state);
  if (state.phase !== 'connected' || keepSession) return closed(state);
  return {
    state: { ...state, phase: 'closing' },
    actions: [{ kind: 'armDeadline', ms: settings.closeTimeoutMs }, { kind: 'sendClose' }],
  };
}

function closed(state: FsmState): Step {
  const error = new CodedError('STORE_CLOSED', 'the session was closed');
  return {
    state: { ...state, phase: 'closed', session: null },
    actions: [{ kind: 'hangUp' }, { kind: 'answerAll', error }, { kind: 'notify', what: 'closed' }],
  };
}

function silence(phase: Phase, settings: FsmSettings): CodedError {
  const message =
    phase === 'connected'
      ? 'the server has been silent for two thirds of the session time'
      : `no session within ${settings.connectTimeoutMs} ms (${phase})`;
  return new CodedError('STORE_UNREACHABLE', message, { transient: true });
}
