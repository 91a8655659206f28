import { RETRY_PACE } from '../retry-pace.ts';
import type { IEvent } from 'etcd3';
import { Backoff } from '../../core/backoff.ts';
import { CodedError, asCodedError } from '../../core/errors.ts';
import type { Clock, Log, Random } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { ServerNames, systemLookup } from '../server-names.ts';
import type { Destination, Lookup } from '../server-names.ts';
import type { SessionState } from '../source.ts';
import { breaksConnection } from './errors.ts';
import type { Keys } from './keys.ts';
import { LeaseKeeper, sessionOf } from './lease.ts';
import type { Lease } from './lease.ts';
import type { EtcdLink } from './link.ts';
import { parseEndpoint } from './settings.ts';
import type { Endpoint, EtcdSettings } from './settings.ts';
import { ConfigWatch } from './watch.ts';

/** A connection that held this long was a good one: what ends it does not count as a failed attempt. */
const STEADY_MS = 1_000;

/** Wrong credentials are not mended in a moment, and each login costs the cluster a slow password hash. */
const REFUSED_WAIT_MS = 5_000;

export interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** In place of the system's resolver. */
  readonly lookup?: Lookup | undefined;
}

export interface SessionHooks {
  /** What happened in `config/`; see `WatchHandlers`. */
  readonly onEvents: (events: readonly IEvent[], more: boolean) => void;
  /** What happened in `config/` up to now may not have been told, or the connection ended. */
  readonly onGap: () => void;
  /** Behind a gap: `config/` may have changed. */
  readonly onChange: () => void;
  readonly onState: () => void;
  /** A connection stands. Whether the lease is the one from before, its id tells. */
  readonly onConnected: () => void;
}

/** What requests need, and who to tell when it fails them. */
export interface Connection {
  readonly link: EtcdLink;
  readonly lease: Lease;
}

/**
 * Our presence in the cluster: one connection at a time, a lease, and a watch on `config/`. When any of them breaks,
 * the connection is thrown away and another is made, to the next member; the lease is taken along as long as it lives.
 */
export class EtcdSession {
  readonly #settings: EtcdSettings;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hooks: SessionHooks;
  readonly #backoff: Backoff;
  readonly #names: ServerNames<Endpoint>;
  #nameError: string | null = null;
  #endpoints: readonly Destination<Endpoint>[] = [];
  #next = 0;
  #state: SessionState;
  #lease: Lease | null = null;
  #connection: Connection | null = null;
  #breakNow: (error: CodedError) => void = () => undefined;
  #wake: () => void = () => undefined;
  #closed = false;
  #running: Promise<void> | null = null;

  constructor(settings: EtcdSettings, keys: Keys, deps: SessionDeps, hooks: SessionHooks) {
    this.#settings = settings;
    this.#keys = keys;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#hooks = hooks;
    this.#backoff = new Backoff(RETRY_PACE, deps.random);
    const endpoints = settings.endpoints.map((text) => parseEndpoint(text, settings.tls !== undefined));
    this.#names = new ServerNames(endpoints, { ...deps, lookup: deps.lookup ?? systemLookup });
    this.#state = { kind: 'connecting', since: deps.clock.now(), lastError: null };
  }

  start(): void {
    if (this.#closed) return;
    this.#running ??= this.#run();
  }

  state(): SessionState {
    return this.#state;
  }

  /** The connection, or why there is none: nothing waits for one to come. */
  connection(): Result<Connection, CodedError> {
    if (this.#connection !== null) return ok(this.#connection);
    if (this.#state.kind === 'closed') return err(new CodedError('STORE_CLOSED', 'the etcd source is closed'));
    const why = this.#state.kind === 'connecting' ? this.#state.lastError : null;
    return err(new CodedError('STORE_UNREACHABLE', why ?? 'not connected yet', { transient: true }));
  }

  /** A request failed: if that tells of the connection, another is made. */
  report(connection: Connection, error: CodedError): void {
    if (connection !== this.#connection) return;
    if (breaksConnection(error) || error.code === 'STORE_SESSION_EXPIRED') this.#breakNow(error);
  }

  async close(options: { readonly keepLease: boolean }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    if (!options.keepLease && connection !== null) {
      const revoked = await connection.link.revokeLease(connection.lease.id);
      if (!revoked.ok)
        this.#log.warn({ error: revoked.error.message }, 'the lease could not be revoked; it will run out');
    }
    this.#breakNow(new CodedError('STORE_CLOSED', 'the etcd source is closed'));
    this.#wake();
    await this.#running;
    this.#setState({ kind: 'closed' });
  }

  async #run(): Promise<void> {
    let failures = 0;
    await this.#resolve();
    while (!this.#closed) {
      const endpoint = this.#endpoints[this.#next % this.#endpoints.length];
      const { servedMs, error } = await this.#attempt(endpoint);
      if (this.#isClosed()) break;
      this.#log[servedMs > 0 ? 'warn' : 'debug'](
        { server: endpoint?.address, code: error.code, error: error.message },
        'no etcd',
      );
      this.#setState({ kind: 'connecting', since: this.#connectingSince(), lastError: error.message });
      // An ended lease is not the member's fault: stay with it.
      if (error.code === 'STORE_SESSION_EXPIRED') this.#lease = null;
      else this.#next += 1;
      failures = servedMs >= STEADY_MS ? 0 : failures + 1;
      if (failures === 0) this.#backoff.reset();
      // After a break the next member is tried at once; only when all have failed is there reason to wait.
      const isRoundOver = failures > 0 && failures % Math.max(this.#endpoints.length, 1) === 0;
      if (isRoundOver) {
        const refused = error.code === 'STORE_AUTH_FAILED' || error.code === 'STORE_FORBIDDEN';
        await this.#sleep(refused ? REFUSED_WAIT_MS : this.#backoff.next());
      }
      if (isRoundOver || servedMs > 0) await this.#resolve();
    }
  }

  /** Names may lead elsewhere by now: whenever a connection is lost, and before each round. */
  async #resolve(): Promise<void> {
    const { destinations, error } = await this.#names.resolve();
    if (error !== null && error !== this.#nameError) {
      this.#log.warn({ error }, 'not every store server could be resolved');
    }
    this.#nameError = error;
    this.#endpoints = destinations;
  }

  async #attempt(endpoint: Destination<Endpoint> | undefined): Promise<{ servedMs: number; error: CodedError }> {
    if (endpoint === undefined) {
      const text = this.#nameError ?? 'no server has an address';
      return { servedMs: 0, error: new CodedError('STORE_UNREACHABLE', text, { transient: true }) };
    }
    return this.#serve(endpoint).catch((thrown: unknown) => ({ servedMs: 0, error: asCodedError(thrown) }));
  }

  /** Resolves when the connection is over, with the time for which it was of use. */
  async #serve(endpoint: Destination<Endpoint>): Promise<{ servedMs: number; error: CodedError }> {
    // First of all, so that a close finds it whenever it comes.
    const broken = new Promise<CodedError>((resolve) => (this.#breakNow = resolve));
    const breakNow = this.#breakNow;
    // The protocol's libraries take 15 MB and a tenth of a second: an agent on another store never loads them.
    const { EtcdLink } = await import('./link.ts');
    const created = EtcdLink.create(this.#settings, endpoint, this.#log);
    if (!created.ok) return { servedMs: 0, error: created.error };
    const link = created.value;
    const parts: { stop(): void }[] = [{ stop: () => link.close() }];
    try {
      const set = await Promise.race([this.#setUp(link, breakNow, parts), broken.then((error) => err(error))]);
      if (!set.ok) return { servedMs: 0, error: set.error };
      const lease = set.value;
      const since = this.#clock.monotonic();
      this.#connection = { link, lease };
      const session = sessionOf(lease.id);
      this.#setState({ kind: 'connected', since: this.#clock.now(), session, server: link.endpoint });
      this.#log.info({ server: link.endpoint, session }, 'connected to etcd');
      this.#hooks.onConnected();
      this.#hooks.onChange();
      return { error: await broken, servedMs: this.#clock.monotonic() - since };
    } finally {
      this.#connection = null;
      this.#hooks.onGap();
      this.#breakNow = () => undefined;
      for (const part of parts.reverse()) part.stop();
    }
  }

  /** Logs in, takes a lease and watches. What must be stopped afterwards, whether it succeeds or not, goes to `parts`. */
  async #setUp(
    link: EtcdLink,
    breakNow: (error: CodedError) => void,
    parts: { stop(): void }[],
  ): Promise<Result<Lease, CodedError>> {
    const loggedIn = await link.logIn();
    if (!loggedIn.ok) return loggedIn;
    const lease = await this.#leaseOver(link);
    if (!lease.ok) return lease;
    const stream = await link.keepAlive();
    if (!stream.ok) return stream;
    parts.push(new LeaseKeeper(stream.value, lease.value, this.#clock, breakNow));
    const watch = new ConfigWatch(link, this.#keys.below('config'), this.#clock, {
      onEvents: this.#hooks.onEvents,
      onGap: () => {
        this.#hooks.onGap();
        this.#hooks.onChange();
      },
      onEnd: breakNow,
    });
    parts.push(watch);
    const started = await watch.start();
    return started.ok ? lease : started;
  }

  /** The lease we had, if the store still knows it; else a new one. */
  async #leaseOver(link: EtcdLink): Promise<Result<Lease, CodedError>> {
    if (this.#lease !== null) {
      const lives = await link.leaseLives(this.#lease.id);
      if (!lives.ok) return lives;
      if (lives.value) return ok(this.#lease);
      this.#log.warn({ session: sessionOf(this.#lease.id) }, 'the lease ran out while etcd was out of reach');
      this.#lease = null;
    }
    const granted = await link.grantLease(this.#settings.leaseTtlMs);
    // Kept even if this connection comes to nothing, so that no trail of leases is left at the store.
    if (granted.ok) this.#lease = granted.value;
    return granted;
  }

  #setState(state: SessionState): void {
    const before = this.#state;
    this.#state = state;
    const same = before.kind === 'connecting' && state.kind === 'connecting' && before.lastError === state.lastError;
    if (!same) this.#hooks.onState();
  }

  #connectingSince(): number {
    return this.#state.kind === 'connecting' ? this.#state.since : this.#clock.now();
  }

  // A method, because the compiler would otherwise believe what it saw before an await.
  #isClosed(): boolean {
    return this.#closed;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
