import { Backoff } from '../../core/backoff.ts';
import type { BackoffOptions } from '../../core/backoff.ts';
import { ByteReader } from '../../core/bytes.ts';
import { CodedError, describeError } from '../../core/errors.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../../core/ports.ts';
import { assertNever, err } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Destination, Resolution, ServerNames } from '../server-names.ts';
import type { SessionState } from '../source.ts';
import { decodeWatchEvent } from './calls.ts';
import type { Call, WatchEvent } from './calls.ts';
import { Connection } from './connection.ts';
import type { Frame } from './framer.ts';
import { packet } from './jute.ts';
import { decodeReplyHeader, decodeWelcome, encodeAuth, encodeCloseSession, encodeGreeting } from './messages.ts';
import type { ReplyHeader, SessionIdentity } from './messages.ts';
import { Outstanding } from './outstanding.ts';
import { RequestLimit } from './request-limit.ts';
import { SERVER_ERROR, ServerRefusal, XID, formatSession } from './protocol.ts';
import { INITIAL_STATE, step } from './session-fsm.ts';
import type { FsmAction, FsmEvent, FsmState } from './session-fsm.ts';
import type { Dial } from './transport.ts';
import { WriterSearch } from './writer-search.ts';

export interface SessionOptions {
  readonly sessionTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly allowReadOnly: boolean;
  readonly maxReplyBytes: number;
  readonly maxRequestBytes: number;
  readonly maxOutstanding: { readonly maxCalls: number; readonly maxBytes: number };
  readonly backoff: BackoffOptions;
  /** Asked on every connect, so that a changed secret is picked up. "user:password", or null for none. */
  readonly auth: () => Result<string | null, CodedError>;
}

export interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly names: ServerNames;
  readonly dial: Dial;
}

export type SessionChange = 'connected' | 'lost' | 'expired' | 'closed';

export interface SessionListener {
  onChange(change: SessionChange): void;
  onWatch(event: WatchEvent): void;
}

/** Of a packet: the length before the body, which no limit counts. */
const PREFIX_BYTES = 4;
/** Read-only servers come back to their ensemble by themselves as a rule, and hang up then. */
const SEARCH_BACKOFF = { firstMs: 500, maxMs: 15_000, factor: 2, jitter: 0.5 };

/**
 * Runs what `session-fsm` decides: one connection at a time, requests in order, and an answer for every request
 * whatever happens to the connection. While there is no connection requests fail at once.
 */
export class Session {
  readonly requestLimit: RequestLimit;
  readonly #options: SessionOptions;
  readonly #deps: SessionDeps;
  #servers: readonly Destination[] = [];
  #nameError: string | null = null;
  readonly #outstanding: Outstanding;
  readonly #backoff: Backoff;
  readonly #search: WriterSearch;
  readonly #listeners = new Set<SessionListener>();
  readonly #events: FsmEvent[] = [];
  #state: FsmState = INITIAL_STATE;
  #isStepping = false;
  #connection: Connection | undefined;
  #dials = 0;
  #lastZxid = 0n;
  #since: number;
  #cancelRetry: Cancel = () => undefined;

  constructor(options: SessionOptions, deps: SessionDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#outstanding = new Outstanding(options.maxOutstanding);
    this.requestLimit = new RequestLimit(options.maxRequestBytes, deps.clock);
    this.#backoff = new Backoff(options.backoff, deps.random);
    this.#search = new WriterSearch(
      {
        dial: deps.dial,
        clock: deps.clock,
        backoff: new Backoff(SEARCH_BACKOFF, deps.random),
        patienceMs: options.connectTimeoutMs,
      },
      (server) => this.#dispatch({ kind: 'writerFound', at: deps.clock.monotonic(), server }),
    );
    this.#since = deps.clock.now();
  }

  start(): void {
    this.#dispatch({ kind: 'start', at: this.#deps.clock.monotonic() });
  }

  /** Ends the session at the server, or with `keepSession` only leaves it: its ephemeral nodes fall with its time. */
  close(options: { readonly keepSession: boolean }): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.listen({
        onChange: (change) => {
          if (change !== 'closed') return;
          stop();
          resolve();
        },
        onWatch: () => undefined,
      });
      if (this.#state.phase === 'closed') resolve();
      this.#dispatch({ kind: 'close', keepSession: options.keepSession });
    });
  }

  listen(listener: SessionListener): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells connections apart: a watch lives as long as the connection that set it. 0 while there is none. */
  get connection(): number {
    return this.#state.phase === 'connected' ? this.#dials : 0;
  }

  get sessionId(): bigint | null {
    return this.#state.session?.identity.id ?? null;
  }

  /** The newest transaction that any server had applied when it answered us. */
  get lastZxid(): bigint {
    return this.#lastZxid;
  }

  /** Whether the server we are at has lost its ensemble: it can be read, and lags behind the others perhaps. */
  get isReadOnly(): boolean {
    return this.#state.readOnly;
  }

  /** What ended the last attempt or connection; null while all is well. */
  get lastError(): CodedError | null {
    return this.#state.lastError;
  }

  /** The server we are at, or tried last. */
  get server(): string {
    return this.#connection?.server ?? 'no server';
  }

  state(): SessionState {
    const { phase, session, lastError } = this.#state;
    const since = this.#since;
    if (phase === 'closed') return { kind: 'closed' };
    if (session !== null && isOpen(this.#state)) {
      return { kind: 'connected', since, session: formatSession(session.identity.id), server: this.server };
    }
    return { kind: 'connecting', since, lastError: lastError === null ? null : describeError(lastError) };
  }

  /** Why a request would fail at once; null when it would be sent. */
  unready(what: string): CodedError | null {
    const { phase, lastError } = this.#state;
    switch (phase) {
      case 'connected':
        return null;
      case 'closing':
      case 'closed':
        return new CodedError('STORE_CLOSED', `${what}: the session was closed`);
      case 'idle':
      case 'resolving':
      case 'dialing':
      case 'greeting':
      case 'authenticating':
      case 'waiting':
        return new CodedError('STORE_UNREACHABLE', `${what}: there is no connection to the store`, {
          transient: true,
          ...(lastError === null ? {} : { cause: lastError }),
        });
    }
  }

  /** Sends one request. Never throws; the error is a `ServerRefusal` when the server itself said no. */
  request<T>(call: Call<T>): Promise<Result<T, CodedError>> {
    const unready = this.unready(call.what);
    if (unready !== null) return Promise.resolve(err(unready));
    const xid = this.#outstanding.nextXid();
    const bytes = packet((writer) => {
      writer.i32be(xid).i32be(call.op);
      call.encode(writer);
    });
    const excess = this.#excess(bytes.length);
    if (excess !== null) {
      return Promise.resolve(err(new CodedError('STORE_TOO_LARGE', `${call.what}: ${excess}`)));
    }
    this.#connection?.send(bytes);
    return this.#outstanding.add(xid, call, bytes.length);
  }

  #excess(packetBytes: number): string | null {
    const excess = this.requestLimit.excess(packetBytes - PREFIX_BYTES);
    if (excess !== null) return excess;
    if (this.#outstanding.hasRoomFor(packetBytes)) return null;
    return `${this.#outstanding.count} requests are under way already`;
  }

  /** The one door for every change. Events that arise while one is handled wait for their turn. */
  #dispatch(event: FsmEvent): void {
    this.#events.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      const { state, actions } = step(this.#state, next, this.#options);
      if (isOpen(state) !== isOpen(this.#state)) this.#since = this.#deps.clock.now();
      this.#state = state;
      for (const action of actions) this.#run(action);
    }
    this.#isStepping = false;
  }

  #run(action: FsmAction): void {
    switch (action.kind) {
      case 'resolve':
        this.#resolve();
        return;
      case 'dial':
        this.#connection = this.#dial(action.server);
        return;
      case 'greet':
        this.#greet(action);
        return;
      case 'authenticate':
        this.#authenticate();
        return;
      case 'armDeadline':
        this.#connection?.armDeadline(action.ms);
        return;
      case 'keepAlive':
        this.#connection?.keepAlive(action.pingMs, action.silenceMs);
        return;
      case 'seekWriter':
        this.#search.start(this.#servers);
        return;
      case 'hangUp':
        this.#connection?.drop();
        this.#search.stop();
        this.#cancelRetry();
        return;
      case 'retryLater':
        this.#cancelRetry = this.#deps.clock.after(this.#backoff.next(), () => this.#dispatch({ kind: 'retryDue' }));
        return;
      case 'resetBackoff':
        this.#backoff.reset();
        return;
      case 'sendClose':
        this.#connection?.send(encodeCloseSession(this.#outstanding.nextXid()));
        return;
      case 'forgetZxid':
        this.#lastZxid = 0n;
        return;
      case 'answerAll':
        this.#outstanding.failAll(action.error);
        return;
      case 'notify':
        this.#tell((listener) => listener.onChange(action.what));
        return;
      default:
        assertNever(action);
    }
  }

  #resolve(): void {
    const found = this.#deps.names.resolve();
    if (found instanceof Promise) void found.then((later) => this.#resolved(later));
    else this.#resolved(found);
  }

  #resolved({ destinations, error }: Resolution): void {
    if (error !== null && error !== this.#nameError) {
      this.#deps.log.warn({ error }, 'not every store server could be resolved');
    }
    this.#nameError = error;
    // Only while it is waited for: an answer that comes late must not change the list under a dial.
    if (this.#state.phase === 'resolving') this.#servers = destinations;
    this.#dispatch({
      kind: 'resolved',
      servers: destinations.length,
      error: error === null ? null : new CodedError('STORE_UNREACHABLE', error, { transient: true }),
    });
  }

  #dial(index: number): Connection | undefined {
    const server = this.#servers[index];
    if (server === undefined) return undefined;
    this.#dials += 1;
    this.requestLimit.begin();
    const { clock, dial } = this.#deps;
    return new Connection(
      server,
      { dial, clock, maxReplyBytes: this.#options.maxReplyBytes },
      {
        onOpen: () => this.#dispatch({ kind: 'opened' }),
        onFrame: (frame) => this.#receive(frame),
        onBroken: (code, reason) => {
          const isTheirs = code === 'STORE_UNREACHABLE';
          const hint = isTheirs ? this.requestLimit.hungUp(this.#outstanding.largest - PREFIX_BYTES) : null;
          this.#break(new CodedError(code, hint === null ? reason : `${reason}: ${hint}`, { transient: true }));
        },
        onSilence: () => this.#dispatch({ kind: 'deadline', at: clock.monotonic() }),
      },
    );
  }

  #break(error: CodedError): void {
    this.#deps.log.debug({ phase: this.#state.phase, reason: describeError(error) }, 'connection to the store over');
    this.#dispatch({ kind: 'broken', at: this.#deps.clock.monotonic(), error });
  }

  #greet(as: { readonly identity: SessionIdentity | null; readonly readOnly: boolean }): void {
    const { identity, readOnly } = as;
    const { sessionTimeoutMs: timeoutMs } = this.#options;
    this.#connection?.send(encodeGreeting({ identity, lastZxid: this.#lastZxid, timeoutMs, readOnly }));
  }

  /** Our credentials come first on every connection, and nothing else is sent until the server has taken them. */
  #authenticate(): void {
    const auth = this.#options.auth();
    if (!auth.ok) this.#break(auth.error);
    else if (auth.value === null) this.#dispatch({ kind: 'authenticated' });
    else this.#connection?.send(encodeAuth('digest', auth.value));
  }

  #receive(frame: Frame): void {
    const reader = new ByteReader(frame.bytes);
    if (this.#state.phase === 'greeting') {
      this.#dispatch({ kind: 'welcomed', welcome: decodeWelcome(reader) });
      return;
    }
    const header = decodeReplyHeader(reader);
    switch (header.xid) {
      case XID.notification: {
        const event = decodeWatchEvent(reader);
        this.#tell((listener) => listener.onWatch(event));
        return;
      }
      case XID.ping:
        this.#dispatch({ kind: 'steady' });
        return;
      case XID.auth:
        if (header.errorCode === 0) this.#dispatch({ kind: 'authenticated' });
        else this.#break(new ServerRefusal(header.errorCode, 'auth'));
        return;
      default:
        this.#answer(frame, header, reader);
    }
  }

  #answer(frame: Frame, header: ReplyHeader, body: ByteReader): void {
    if (this.#state.phase === 'closing' && this.#outstanding.count === 0) {
      this.#dispatch({ kind: 'closeAnswered' });
      return;
    }
    const taken = frame.truncated
      ? this.#outstanding.failOne(header.xid, 'STORE_TOO_LARGE', `the reply has ${frame.length} bytes`)
      : this.#outstanding.answer(header, body);
    // Only now is it known to be the reply that is due. A transaction that never was, read from a stream that has lost
    // its order, would have every server of the ensemble refuse us.
    if (header.zxid > this.#lastZxid) this.#lastZxid = header.zxid;
    this.requestLimit.took(taken - PREFIX_BYTES);
    if (header.errorCode === SERVER_ERROR.sessionExpired) {
      this.#dispatch({ kind: 'expired', at: this.#deps.clock.monotonic() });
    }
  }

  #tell(what: (listener: SessionListener) => void): void {
    for (const listener of [...this.#listeners]) {
      try {
        what(listener);
      } catch (error) {
        this.#deps.log.error({ error: describeError(error) }, 'a listener of the store session failed');
      }
    }
  }
}

/** Whether there is a session that counts: what is known to a read-only server alone is none. */
function isOpen(state: FsmState): boolean {
  return !state.readOnly && (state.phase === 'connected' || state.phase === 'closing');
}
