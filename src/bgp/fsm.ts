import { assertNever } from '../core/result.ts';
import { ErrorCode, MessageType, OPEN_HOLD_TIME_MS } from './constants.ts';
import { describeNotification, type Notification, resetError } from './notification.ts';
import type { BgpState } from './port.ts';

/*
 * The state machine of RFC 4271 section 8, active side only: (state, event) -> state and actions, nothing else. There
 * is no listener yet; an accepted connection would enter as `connected` in Active, and section 6.8 would decide
 * between two machines of one peer from outside.
 */

export const TIMERS = ['connectRetry', 'idleHold', 'hold', 'keepalive', 'sendHold', 'stable'] as const;
export type TimerName = (typeof TIMERS)[number];

export interface FsmState {
  readonly name: BgpState;
  /** Failures since the last session that proved stable: each doubles the wait before the next attempt. */
  readonly failures: number;
  /** Negotiated; zero = no hold timer and no KEEPALIVEs (RFC 4271 section 4.4). */
  readonly holdTimeMs: number;
  /** Idle because it was told to be: nothing but `start` leaves it. */
  readonly stopped: boolean;
}

export interface FsmSettings {
  /** The longest wait between two attempts, and how long one may take: ConnectRetryTime. */
  readonly connectRetryMs: number;
}

export type FsmEvent =
  | { readonly kind: 'start' }
  /** With a Cease where there is a connection, or without a word where graceful restart shall keep the routes. */
  | { readonly kind: 'stop'; readonly notification: Notification | null; readonly reason: string }
  | { readonly kind: 'connected' }
  | { readonly kind: 'closed'; readonly reason: string }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  | { readonly kind: 'open'; readonly holdTimeMs: number }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'update' }
  | { readonly kind: 'unexpected'; readonly type: number }
  | { readonly kind: 'notification'; readonly notification: Notification }
  | { readonly kind: 'error'; readonly notification: Notification; readonly reason: string };

export type FsmAction =
  | { readonly kind: 'dial' }
  | { readonly kind: 'send'; readonly message: 'open' | 'keepalive' }
  /** Sends it as the last message of the connection. */
  | { readonly kind: 'notify'; readonly notification: Notification }
  | { readonly kind: 'disconnect' }
  | { readonly kind: 'arm'; readonly timer: TimerName; readonly ms: number }
  | { readonly kind: 'disarm'; readonly timer: TimerName }
  | { readonly kind: 'disarmAll' }
  | { readonly kind: 'up' }
  /** An attempt or a session ended. */
  | { readonly kind: 'down'; readonly reason: string };

export interface FsmStep {
  readonly state: FsmState;
  readonly actions: readonly FsmAction[];
}

export const INITIAL_STATE: FsmState = { name: 'idle', failures: 0, holdTimeMs: 0, stopped: true };

const FIRST_RETRY_MS = 1000;
/** A session must last this long before the wait starts from the beginning again: some peers accept and then refuse. */
const STABLE_MS = 60_000;
/** Keeps 2 ** failures a sane number; the wait is capped long before. */
const MAX_FAILURES = 16;

/** The wait before the attempt that follows so many failures, before jitter. */
export function retryDelayMs(failures: number, settings: FsmSettings): number {
  return Math.min(FIRST_RETRY_MS * 2 ** failures, settings.connectRetryMs);
}

/** Which messages a state takes; any other is an error of its own (RFC 6608). */
export function accepts(state: BgpState, type: number): boolean {
  switch (state) {
    case 'openSent':
      return type === MessageType.open || type === MessageType.notification;
    case 'openConfirm':
      return type === MessageType.keepalive || type === MessageType.notification;
    case 'established':
      return type !== MessageType.open;
    case 'idle':
    case 'connect':
    case 'active':
      return false;
    default:
      return assertNever(state);
  }
}

export function step(state: FsmState, event: FsmEvent, settings: FsmSettings): FsmStep {
  if (event.kind === 'stop') return stopped(state, event.notification, event.reason);
  switch (state.name) {
    case 'idle':
      return idle(state, event, settings);
    case 'connect':
    case 'active':
      return connecting(state, event, settings);
    case 'openSent':
    case 'openConfirm':
    case 'established':
      return inSession(state, event, settings);
    default:
      return assertNever(state.name);
  }
}

function idle(state: FsmState, event: FsmEvent, settings: FsmSettings): FsmStep {
  const starts = state.stopped ? event.kind === 'start' : event.kind === 'timer' && event.timer === 'idleHold';
  return starts ? dial(state, settings) : stay(state);
}

function connecting(state: FsmState, event: FsmEvent, settings: FsmSettings): FsmStep {
  if (event.kind === 'connected') {
    return {
      state: { ...state, name: 'openSent' },
      actions: [
        { kind: 'disarm', timer: 'connectRetry' },
        { kind: 'send', message: 'open' },
        { kind: 'arm', timer: 'hold', ms: OPEN_HOLD_TIME_MS },
      ],
    };
  }
  if (event.kind === 'closed' && state.name === 'connect') return retryFromActive(state, event.reason, settings);
  if (event.kind !== 'timer' || event.timer !== 'connectRetry') return stay(state);
  const next = dial(state, settings);
  if (state.name === 'active') return next;
  const failures = Math.min(state.failures + 1, MAX_FAILURES);
  const abandon: FsmAction[] = [{ kind: 'disconnect' }, { kind: 'down', reason: 'TCP connection timed out' }];
  return { state: { ...next.state, failures }, actions: [...abandon, ...next.actions] };
}

function inSession(state: FsmState, event: FsmEvent, settings: FsmSettings): FsmStep {
  switch (event.kind) {
    case 'open':
      return state.name === 'openSent' ? openReceived(state, event.holdTimeMs) : stay(state);
    case 'keepalive':
      return keepaliveReceived(state);
    case 'update':
      return { state, actions: restartHold(state) };
    case 'timer':
      return timerFired(state, event.timer, settings);
    case 'unexpected':
      return end(state, unexpectedMessage(state.name, event.type), settings);
    case 'error':
      return end(state, event.notification, settings, event.reason);
    case 'notification': {
      const reason = `received ${describeNotification(event.notification)}`;
      return idleAfter(state, [{ kind: 'disconnect' }], reason, settings);
    }
    case 'closed':
      // RFC 4271 section 8.2.2: from OpenSent the machine falls back to Active, from later states to Idle.
      if (state.name === 'openSent') return retryFromActive(state, event.reason, settings);
      return idleAfter(state, [{ kind: 'disconnect' }], event.reason, settings);
    case 'start':
    case 'stop':
    case 'connected':
      return stay(state);
    default:
      return assertNever(event);
  }
}

function openReceived(state: FsmState, holdTimeMs: number): FsmStep {
  const next: FsmState = { ...state, name: 'openConfirm', holdTimeMs };
  const actions: FsmAction[] = [{ kind: 'send', message: 'keepalive' }];
  if (holdTimeMs === 0) actions.push({ kind: 'disarm', timer: 'hold' });
  else actions.push(...restartHold(next), armKeepalive(next));
  return { state: next, actions };
}

function keepaliveReceived(state: FsmState): FsmStep {
  if (state.name !== 'openConfirm') return { state, actions: restartHold(state) };
  const stable: FsmAction = { kind: 'arm', timer: 'stable', ms: STABLE_MS };
  return { state: { ...state, name: 'established' }, actions: [...restartHold(state), stable, { kind: 'up' }] };
}

function timerFired(state: FsmState, timer: TimerName, settings: FsmSettings): FsmStep {
  switch (timer) {
    case 'hold':
      return end(state, resetError(ErrorCode.holdTimerExpired, 0, ''), settings);
    case 'sendHold':
      return end(state, resetError(ErrorCode.sendHoldTimerExpired, 0, ''), settings);
    case 'keepalive':
      if (state.holdTimeMs === 0) return stay(state);
      return { state, actions: [{ kind: 'send', message: 'keepalive' }, armKeepalive(state)] };
    case 'stable':
      return stay({ ...state, failures: 0 });
    case 'connectRetry':
    case 'idleHold':
      return stay(state);
    default:
      return assertNever(timer);
  }
}

/** RFC 6608 section 4: one subcode for each state, and the type of the message as data. */
function unexpectedMessage(state: BgpState, type: number): Notification {
  const subcode = state === 'openSent' ? 1 : state === 'openConfirm' ? 2 : 3;
  return { code: ErrorCode.finiteStateMachine, subcode, data: Uint8Array.of(type) };
}

function end(state: FsmState, notification: Notification, settings: FsmSettings, detail?: string): FsmStep {
  const reason = `sent ${describeNotification(notification)}${detail === undefined ? '' : `: ${detail}`}`;
  return idleAfter(state, [{ kind: 'notify', notification }], reason, settings);
}

/** DampPeerOscillations (RFC 4271 section 8.1.1): Idle until the wait is over. */
function idleAfter(state: FsmState, last: readonly FsmAction[], reason: string, settings: FsmSettings): FsmStep {
  const wait: FsmAction = { kind: 'arm', timer: 'idleHold', ms: retryDelayMs(state.failures, settings) };
  return {
    state: failed(state, 'idle'),
    actions: [{ kind: 'disarmAll' }, ...last, { kind: 'down', reason }, wait],
  };
}

function retryFromActive(state: FsmState, reason: string, settings: FsmSettings): FsmStep {
  const wait: FsmAction = { kind: 'arm', timer: 'connectRetry', ms: retryDelayMs(state.failures, settings) };
  return {
    state: failed(state, 'active'),
    actions: [{ kind: 'disarmAll' }, { kind: 'disconnect' }, { kind: 'down', reason }, wait],
  };
}

function failed(state: FsmState, name: BgpState): FsmState {
  return { name, failures: Math.min(state.failures + 1, MAX_FAILURES), holdTimeMs: 0, stopped: false };
}

function stopped(state: FsmState, notification: Notification | null, reason: string): FsmStep {
  const hasSession = state.name === 'openSent' || state.name === 'openConfirm' || state.name === 'established';
  const last: FsmAction =
    notification !== null && hasSession ? { kind: 'notify', notification } : { kind: 'disconnect' };
  const actions: FsmAction[] = [{ kind: 'disarmAll' }, last];
  if (!state.stopped) actions.push({ kind: 'down', reason });
  return { state: INITIAL_STATE, actions };
}

function dial(state: FsmState, settings: FsmSettings): FsmStep {
  return {
    state: { ...state, name: 'connect', stopped: false },
    actions: [{ kind: 'arm', timer: 'connectRetry', ms: settings.connectRetryMs }, { kind: 'dial' }],
  };
}

function restartHold(state: FsmState): FsmAction[] {
  return state.holdTimeMs === 0 ? [] : [{ kind: 'arm', timer: 'hold', ms: state.holdTimeMs }];
}

/** RFC 4271 section 4.4: a third of the hold time. */
function armKeepalive(state: FsmState): FsmAction {
  return { kind: 'arm', timer: 'keepalive', ms: state.holdTimeMs / 3 };
}

function stay(state: FsmState): FsmStep {
  return { state, actions: [] };
}
