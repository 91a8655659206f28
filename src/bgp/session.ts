import type { Log } from '../core/ports.ts';
import { assertNever } from '../core/result.ts';
import type { IpAddress } from '../model/address.ts';
import { Announcer } from './announcer.ts';
import type { Connection } from './connection.ts';
import { Framer, type RawMessage } from './framer.ts';
import { type FsmAction, type FsmEvent, type FsmState, INITIAL_STATE, step } from './fsm.ts';
import { hear } from './inbox.ts';
import { type BgpError, encodeKeepalive, encodeNotification, type Notification } from './notification.ts';
import { encodeOpen, type LocalOpen, type Negotiated } from './open.ts';
import type { PeerSettings, PeerStatus } from './port.ts';
import type { RouteTable } from './route-table.ts';
import type { LocalSettings, SessionDeps, SessionHooks } from './session-ports.ts';
import { holdTimeSeconds, restartTimeSeconds, sendHoldMs, SessionTimers } from './session-timers.ts';

/** One peer: runs the state machine's actions on a real connection and real timers, and reads what comes in. */
export class Session {
  readonly #local: LocalSettings;
  readonly #table: RouteTable;
  readonly #deps: SessionDeps;
  readonly #hooks: SessionHooks;
  readonly #timers: SessionTimers;
  readonly #announcer: Announcer;
  readonly #log: Log;
  /** Every connection that is not closed yet: the current one, and those that linger to deliver a NOTIFICATION. */
  readonly #connections = new Set<Connection>();
  #peer: PeerSettings;
  #state: FsmState = INITIAL_STATE;
  #since: number;
  #connection: Connection | null = null;
  #framer = new Framer();
  #offered: LocalOpen | null = null;
  #negotiated: Negotiated | null = null;
  #wasUp = false;
  #received = 0;
  #badUpdates = 0;
  #flaps = 0;
  #lastError: string | null = null;
  #onClosed: (() => void)[] = [];

  constructor(
    peer: PeerSettings,
    local: LocalSettings,
    table: RouteTable,
    released: boolean,
    deps: SessionDeps,
    hooks: SessionHooks,
  ) {
    this.#peer = peer;
    this.#local = local;
    this.#table = table;
    this.#deps = deps;
    this.#hooks = hooks;
    this.#log = deps.log.child({ peer: peer.name });
    this.#since = deps.clock.now();
    this.#timers = new SessionTimers(deps.clock, deps.random, (timer) => {
      if (timer === 'hold') this.#holdExpired();
      else this.#dispatch({ kind: 'timer', timer });
    });
    const { interfaces, defer } = deps;
    this.#announcer = new Announcer(table, peer, released, { interfaces, defer, changed: () => hooks.changed() });
  }

  get peer(): PeerSettings {
    return this.#peer;
  }

  /** Closing without NOTIFICATION would let the peer keep our routes. */
  get keepsRoutesOverRestart(): boolean {
    return this.#state.name === 'established' && this.#negotiated?.gracefulRestart === true;
  }

  /** Established peers have everything, down to the acknowledgement by their kernel. Others have nothing to lose. */
  get isFlushed(): boolean {
    if (this.#connection === null || this.#state.name !== 'established') return true;
    return this.#announcer.isSettled && this.#connection.buffered === 0 && this.#connection.unacknowledged() === 0;
  }

  status(): PeerStatus {
    const { name, address, asn } = this.#peer;
    return {
      name,
      address,
      asn,
      state: this.#state.name,
      since: this.#since,
      announced: this.#announcer.announced,
      endOfRibSent: this.#announcer.endOfRibSent,
      lastError: this.#lastError,
      holdTimeMs: this.#negotiated === null ? null : this.#negotiated.holdTimeS * 1000,
      flaps: this.#flaps,
      received: this.#received,
      problems: [...this.#announcer.problems, ...this.#table.problems],
    };
  }

  start(): void {
    this.#dispatch({ kind: 'start' });
  }

  /** Resolves once the connection is closed; a NOTIFICATION is given a moment to arrive. */
  stop(notification: Notification | null, reason: string): Promise<void> {
    this.#dispatch({ kind: 'stop', notification, reason });
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  /** Settings that take effect without a new session. */
  peerChanged(peer: PeerSettings): void {
    this.#peer = peer;
    this.#announcer.peerChanged(peer);
  }

  routesChanged(addresses: readonly IpAddress[]): void {
    this.#announcer.routesChanged(addresses);
  }

  releaseEndOfRib(): void {
    this.#announcer.releaseEndOfRib();
  }

  #dispatch(event: FsmEvent): void {
    const before = this.#state.name;
    const { state, actions } = step(this.#state, event, this.#peer);
    this.#state = state;
    if (state.name !== before) {
      this.#since = this.#deps.clock.now();
      this.#log.debug({ from: before, to: state.name, event: event.kind }, 'BGP state');
    }
    for (const action of actions) this.#run(action);
    if (state.name !== before) this.#hooks.changed();
  }

  #run(action: FsmAction): void {
    switch (action.kind) {
      case 'dial':
        this.#dial();
        break;
      case 'send':
        if (action.message === 'open') this.#sendOpen();
        else this.#sendKeepalive();
        break;
      case 'notify':
        this.#connection?.finish(encodeNotification(action.notification));
        this.#connection = null;
        break;
      case 'disconnect':
        this.#connection?.destroy();
        this.#connection = null;
        break;
      case 'arm':
        this.#timers.arm(action.timer, action.ms);
        break;
      case 'disarm':
        this.#timers.disarm(action.timer);
        break;
      case 'disarmAll':
        this.#timers.disarmAll();
        break;
      case 'up':
        this.#up();
        break;
      case 'down':
        this.#down(action.reason);
        break;
      default:
        assertNever(action);
    }
  }

  #dial(): void {
    this.#framer = new Framer();
    // Twice over what the send hold timer allows: this is for when nobody is left to run that timer.
    const userTimeoutMs = 2 * sendHoldMs(this.#peer.holdTimeMs);
    const connection: Connection = this.#deps.dial(this.#peer, userTimeoutMs, {
      connected: () => {
        if (connection === this.#connection) this.#dispatch({ kind: 'connected' });
      },
      data: (bytes) => {
        if (connection === this.#connection) this.#receive(connection, bytes);
      },
      progress: () => {
        if (connection === this.#connection) this.#progressed(connection);
      },
      closed: (reason) => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) for (const resolve of this.#onClosed.splice(0)) resolve();
        if (connection !== this.#connection) return;
        this.#connection = null;
        this.#dispatch({ kind: 'closed', reason });
      },
    });
    this.#connections.add(connection);
    this.#connection = connection;
  }

  #sendOpen(): void {
    const { asn, routerId, gracefulRestartMs } = this.#local;
    const restartTimeS = restartTimeSeconds(gracefulRestartMs);
    const restarting = !this.#wasUp && this.#hooks.isRestarting();
    const gracefulRestart = restartTimeS === 0 ? null : { restartTimeS, restarting };
    this.#offered = { asn, routerId, holdTimeS: holdTimeSeconds(this.#peer.holdTimeMs), gracefulRestart };
    this.#write(encodeOpen(this.#offered));
  }

  #sendKeepalive(): void {
    // Octets that wait for the peer say that we are alive as well as a KEEPALIVE behind them would.
    const waiting = this.#state.name === 'established' && (this.#connection?.buffered ?? 0) > 0;
    if (!waiting) this.#write(encodeKeepalive());
  }

  #write(bytes: Uint8Array): void {
    if (this.#connection === null) return;
    this.#connection.write(bytes);
    if (this.#connection.buffered > 0 && !this.#timers.isArmed('sendHold')) this.#armSendHold();
  }

  #progressed(connection: Connection): void {
    if (connection.buffered === 0) this.#timers.disarm('sendHold');
    else this.#armSendHold();
    this.#announcer.pump();
  }

  /** RFC 9687: nothing has gone to the peer for so long that it must be taken for stuck. */
  #armSendHold(): void {
    this.#timers.arm('sendHold', sendHoldMs(this.#state.holdTimeMs));
  }

  /**
   * If our own loop was late, the message that would have saved the session may be waiting in the kernel: it is read
   * first. Two turns, since the first may only finish the phase that it was asked in.
   */
  #holdExpired(): void {
    const connection = this.#connection;
    const unlessSaved = (): void => {
      if (connection !== this.#connection || this.#timers.isArmed('hold')) return;
      this.#dispatch({ kind: 'timer', timer: 'hold' });
    };
    this.#deps.defer(() => this.#deps.defer(unlessSaved));
  }

  #receive(connection: Connection, bytes: Uint8Array): void {
    const { messages, error } = this.#framer.push(bytes);
    for (const message of messages) {
      this.#message(message);
      if (connection !== this.#connection) return;
    }
    if (error !== null) this.#dispatch({ kind: 'error', notification: error, reason: error.text });
  }

  #message(message: RawMessage): void {
    if (this.#offered === null) return;
    const heard = hear(message, {
      state: this.#state.name,
      peerAsn: this.#peer.asn,
      offered: this.#offered,
      negotiated: this.#negotiated,
    });
    if (heard.negotiated !== undefined) this.#negotiated = heard.negotiated;
    if (heard.announced !== undefined) this.#received += heard.announced;
    if (heard.survived !== undefined) this.#badUpdate(heard.survived);
    if (heard.refresh !== undefined) this.#announcer.refresh(heard.refresh);
    if (heard.event !== null) this.#dispatch(heard.event);
  }

  /** Said once for each session: a peer that errs on every route must not fill the log. */
  #badUpdate(error: BgpError): void {
    if (this.#badUpdates++ > 0) return;
    const { handling, text } = error;
    this.#log.warn({ handling, error: text }, 'malformed UPDATE from the peer, session kept');
  }

  #up(): void {
    const connection = this.#connection;
    const localAddress = connection?.localAddress;
    if (connection === null || localAddress === undefined || this.#negotiated === null) return;
    this.#wasUp = true;
    this.#received = 0;
    this.#badUpdates = 0;
    const { families, fourOctetAs, enhancedRouteRefresh, holdTimeS } = this.#negotiated;
    this.#log.info({ families, holdTimeS, localAddress }, 'BGP session established');
    const { asn } = this.#local;
    const peer = this.#peer.name;
    const session = { peer, asn, ebgp: this.#isEbgp, families, fourOctetAs, enhancedRouteRefresh, localAddress };
    this.#announcer.open({ buffered: () => connection.buffered, write: (bytes) => this.#write(bytes) }, session);
    for (const problem of this.#announcer.problems) this.#log.warn({ problem }, 'some routes cannot be announced');
  }

  #down(reason: string): void {
    const established = this.#announcer.isOpen;
    this.#announcer.close();
    this.#negotiated = null;
    if (established) this.#flaps++;
    if (established || reason !== this.#lastError) this.#log.warn({ reason }, 'BGP session down');
    this.#lastError = reason;
  }

  get #isEbgp(): boolean {
    return this.#peer.asn !== this.#local.asn;
  }
}
