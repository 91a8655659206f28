import { CodedError, describeError } from '../../core/errors.ts';
import type { Cancel, Clock, Log, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { Listeners } from '../listeners.ts';
import type { EphemeralOwner, PublishReport, SessionState, Source, StoreSnapshot } from '../source.ts';
import { addRecursiveWatch, getData } from './calls.ts';
import type { WatchEvent } from './calls.ts';
import { ConfigTree } from './config-tree.ts';
import { FolderMaker } from './folders.ts';
import { MultiNodeReader, PlainNodeReader } from './node-reader.ts';
import type { NodeReader } from './node-reader.ts';
import { zookeeperSettings } from './options.ts';
import type { ZookeeperDeps, ZookeeperOptions, ZookeeperSettings } from './options.ts';
import { formatSession, isRefusal } from './protocol.ts';
import { Publisher } from './publisher.ts';
import type { Session, SessionChange } from './session.ts';

/** What the server at hand can do: 3.6 brought recursive watches and multiRead, and 3.5.3 containers. */
type Ability = 'recursive' | 'plain';

/** Whoever deletes our records in a loop shall not make us write in one. */
const REWRITE_AFTER_MS = 200;

/** @returns BOOTSTRAP_INVALID when the options cannot be understood */
export function createZookeeperSource(options: ZookeeperOptions, deps: ZookeeperDeps): Result<Source, CodedError> {
  const settings = zookeeperSettings(options);
  return settings.ok ? ok(new ZookeeperSource(settings.value, deps)) : settings;
}

/** The agent's store on ZooKeeper: one session, one recursive watch on `config/`, our ephemeral nodes in `state/`. */
class ZookeeperSource implements Source {
  readonly name = 'zookeeper';
  readonly #session: Session;
  readonly #settings: ZookeeperSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tree: ConfigTree;
  readonly #publisher: Publisher;
  readonly #changes: Listeners;
  readonly #states: Listeners;
  /** Servers that have refused what came with 3.6. */
  readonly #oldServers = new Set<string>();
  /** The watch of the newest connection. */
  #armed: Promise<Result<Ability, CodedError>> = Promise.resolve(ok('plain'));
  #read: Promise<Result<StoreSnapshot, CodedError>> | undefined;
  #readWholeAt = 0;
  #rewriting: Cancel | null = null;
  #isClosing = false;

  constructor(settings: ZookeeperSettings, deps: ZookeeperDeps) {
    this.#settings = settings;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#session = settings.openSession(deps);
    this.#tree = new ConfigTree(this.#session, settings.root, settings.limits);
    const folders = new FolderMaker(this.#session, settings.root, {
      acl: settings.acl,
      hasContainers: () => !this.#isOldServer(),
    });
    this.#publisher = new Publisher({
      session: this.#session,
      canWatch: () => !this.#isOldServer(),
      folders,
      root: settings.root,
      acl: settings.acl,
      log: deps.log,
    });
    const onError = (error: unknown): void => {
      deps.log.error({ error: describeError(error) }, 'a listener of the store failed');
    };
    this.#changes = new Listeners(onError);
    this.#states = new Listeners(onError);
    this.#session.listen({
      onChange: (change) => this.#onSession(change),
      onWatch: (event) => this.#onWatch(event),
    });
  }

  start(): void {
    this.#session.start();
  }

  state(): SessionState {
    return this.#session.state();
  }

  async snapshot(signal?: AbortSignal): Promise<Result<StoreSnapshot, CodedError>> {
    const calledOff = (): Result<StoreSnapshot, CodedError> =>
      err(new CodedError('STORE_CLOSED', 'the read was called off', { transient: true }));
    if (signal?.aborted === true) return calledOff();
    // Whoever comes while a read runs shares it: it ends in a picture that is newer than any call for it.
    this.#read ??= this.#readTree().finally(() => {
      this.#read = undefined;
    });
    if (signal === undefined) return this.#read;
    let stop: () => void = () => undefined;
    const aborted = new Promise<Result<StoreSnapshot, CodedError>>((resolve) => {
      stop = () => resolve(calledOff());
      signal.addEventListener('abort', stop, { once: true });
    });
    const outcome = await Promise.race([this.#read, aborted]);
    signal.removeEventListener('abort', stop);
    return outcome;
  }

  onChange(poke: () => void): Unsubscribe {
    return this.#changes.add(poke);
  }

  onState(poke: () => void): Unsubscribe {
    return this.#states.add(poke);
  }

  publish(records: ReadonlyMap<string, Uint8Array>): Promise<Result<PublishReport, CodedError>> {
    return this.#publisher.publish(records);
  }

  /** A node that is there but belongs to no session has the owner '0x0'. */
  async owner(path: string): Promise<Result<EphemeralOwner | null, CodedError>> {
    const node = await this.#session.request(getData(`${this.#settings.root}/${path}`));
    if (!node.ok) return isRefusal(node.error, 'noNode') ? ok(null) : node;
    const { bytes, stat } = node.value;
    return ok({ session: formatSession(stat.ephemeralOwner), bytes: new Uint8Array(bytes) });
  }

  adoptSessions(sessions: readonly string[]): void {
    this.#publisher.adopt(sessions);
  }

  close(options: { readonly keepEphemeral: boolean }): Promise<void> {
    this.#isClosing = true;
    this.#rewriting?.();
    return this.#session.close({ keepSession: options.keepEphemeral });
  }

  #onSession(change: SessionChange): void {
    this.#log.info({ change, ...this.state() }, 'store session');
    this.#tree.invalidate();
    if (change === 'connected') {
      this.#armed = this.#arm();
      void this.#armed.then((armed) => {
        if (!armed.ok) return;
        // Events of the time without a connection are not sent again, so anything may have changed.
        this.#changes.poke();
        if (!this.#session.isReadOnly) this.#publisher.retry();
      });
    }
    this.#states.poke();
  }

  #onWatch(event: WatchEvent): void {
    if (event.path === this.#settings.root) this.#publisher.retry();
    if (this.#tree.note(event)) this.#changes.poke();
    if (this.#publisher.note(event)) this.#rewriteSoon();
  }

  /** Our records go with our session, which is no reason to write them. */
  #rewriteSoon(): void {
    if (this.#isClosing) return;
    this.#rewriting ??= this.#clock.after(REWRITE_AFTER_MS, () => {
      this.#rewriting = null;
      this.#publisher.retry();
    });
  }

  /** Sets the watch of this connection. Requests keep their order, so reads that follow are covered by it. */
  async #arm(): Promise<Result<Ability, CodedError>> {
    const server = this.#session.server;
    if (this.#oldServers.has(server)) return ok('plain');
    const armed = await this.#session.request(addRecursiveWatch(`${this.#settings.root}/config`));
    if (armed.ok) return ok('recursive');
    if (!isRefusal(armed.error, 'unimplemented')) return armed;
    // Such a server hangs up after this answer; on the next connection we do not ask again.
    this.#log.info({ server }, 'this ZooKeeper is older than 3.6: using one-shot watches and single reads');
    this.#oldServers.add(server);
    return ok('plain');
  }

  #isOldServer(): boolean {
    return this.#oldServers.has(this.#session.server);
  }

  #readerFor(ability: Ability): NodeReader {
    if (ability === 'recursive') return new MultiNodeReader(this.#session);
    return new PlainNodeReader(this.#session, { watch: true });
  }

  async #readTree(): Promise<Result<StoreSnapshot, CodedError>> {
    const unready = this.#session.unready('snapshot');
    if (unready !== null) return err(unready);
    const armed = await this.#armed;
    if (!armed.ok) return armed;
    const now = this.#clock.monotonic();
    if (now - this.#readWholeAt >= this.#settings.rereadEveryMs) {
      this.#tree.invalidate();
      this.#readWholeAt = now;
    }
    const mayBeOld = this.#session.isReadOnly;
    const reader = this.#readerFor(armed.value);
    const read = await this.#tree.read(reader, { oneShot: armed.value === 'plain' });
    return read.ok && mayBeOld ? ok({ ...read.value, mayBeOld }) : read;
  }
}
