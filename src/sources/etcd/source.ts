import type { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { Listeners } from '../listeners.ts';
import { PublishQueue } from '../publish-queue.ts';
import type { Lookup } from '../server-names.ts';
import type { EphemeralOwner, PublishReport, SessionState, Source, StoreSnapshot } from '../source.ts';
import { ConfigTree } from './config-tree.ts';
import { Keys } from './keys.ts';
import { sessionOf } from './lease.ts';
import { Publisher } from './publisher.ts';
import { EtcdSession } from './session.ts';
import type { Connection } from './session.ts';
import type { EtcdSettings } from './settings.ts';

/** Five minutes: what a watch that is believed to be whole may have left out for as long. */
const REREAD_EVERY_MS = 300_000;

/** Whoever deletes our records in a loop shall not make us write in one. */
const REWRITE_AFTER_MS = 200;

export interface EtcdSourceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly lookup?: Lookup;
}

/**
 * The agent's store in an etcd cluster. The root exists as soon as there is any key below `<root>/config/`: etcd has no
 * folders, so with its last key the tree itself vanishes, and whoever wants an empty tree that exists writes a key with
 * an empty value, such as `<root>/config/vips`. Nothing outside `<root>/config/` and `<root>/state/` is touched, so
 * that credentials can be limited to the two.
 */
export class EtcdSource implements Source {
  readonly name = 'etcd';
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changes: Listeners;
  readonly #states: Listeners;
  readonly #tree: ConfigTree;
  readonly #session: EtcdSession;
  readonly #publisher: Publisher;
  readonly #queue: PublishQueue;
  #lastRevision = 0n;
  #rewriting: Cancel | null = null;
  #isClosing = false;

  constructor(settings: EtcdSettings, deps: EtcdSourceDeps) {
    const log = deps.log.child({ source: 'etcd' });
    const onError = (error: unknown): void => log.error({ error }, 'a listener failed');
    this.#clock = deps.clock;
    this.#log = log;
    this.#keys = new Keys(settings.root);
    this.#changes = new Listeners(onError);
    this.#states = new Listeners(onError);
    this.#tree = new ConfigTree(this.#keys, {
      ...deps,
      rereadEveryMs: settings.rereadEveryMs ?? REREAD_EVERY_MS,
      onStale: this.#changes.poke,
    });
    this.#session = new EtcdSession(
      settings,
      this.#keys,
      { ...deps, log },
      {
        onEvents: (events, more) => {
          this.#tree.note(events, more);
          if (!more) this.#changes.poke();
        },
        onGap: this.#tree.forget,
        onChange: this.#changes.poke,
        onState: this.#states.poke,
        onConnected: () => this.#queue.resume(),
      },
    );
    this.#publisher = new Publisher(this.#keys, {
      connection: () => this.#session.connection(),
      report: (connection, error) => this.#session.report(connection, error),
      onDeleted: () => this.#rewriteSoon(),
    });
    this.#queue = new PublishQueue((wanted) => this.#publisher.run(wanted), log);
  }

  start(): void {
    this.#session.start();
  }

  state(): SessionState {
    return this.#session.state();
  }

  async snapshot(signal?: AbortSignal): Promise<Result<StoreSnapshot, CodedError>> {
    const connected = this.#session.connection();
    if (!connected.ok) return connected;
    const reading = await this.#over(connected.value, this.#tree.read(connected.value.link, signal));
    if (!reading.ok) return reading;
    const { revision, records } = reading.value;
    if (revision < this.#lastRevision) {
      // Linearizable readings never go back, so the cluster was restored from a backup, or it is another one.
      this.#log.warn(
        { revision: revision.toString(), before: this.#lastRevision.toString() },
        'etcd went back in time',
      );
    }
    this.#lastRevision = revision;
    return ok({ position: `revision ${revision}`, rootExists: records.size > 0, records });
  }

  onChange(poke: () => void): Unsubscribe {
    return this.#changes.add(poke);
  }

  onState(poke: () => void): Unsubscribe {
    return this.#states.add(poke);
  }

  publish(records: ReadonlyMap<string, Uint8Array>): Promise<Result<PublishReport, CodedError>> {
    return this.#queue.publish(records);
  }

  /** A key without a lease, which nobody alive answers for and which stays for good, has the owner '0'. */
  async owner(path: string): Promise<Result<EphemeralOwner | null, CodedError>> {
    const connected = this.#session.connection();
    if (!connected.ok) return connected;
    const reply = await this.#over(connected.value, connected.value.link.range({ key: this.#keys.key(path) }));
    if (!reply.ok) return reply;
    const kv = reply.value.kvs[0];
    return ok(kv === undefined ? null : { session: sessionOf(kv.lease), bytes: kv.value });
  }

  adoptSessions(sessions: readonly string[]): void {
    this.#publisher.adopt(sessions);
  }

  close(options: { readonly keepEphemeral: boolean }): Promise<void> {
    this.#isClosing = true;
    this.#rewriting?.();
    return this.#session.close({ keepLease: options.keepEphemeral });
  }

  /** Our records go with our lease, which is no reason to write them. */
  #rewriteSoon(): void {
    if (this.#isClosing) return;
    this.#rewriting ??= this.#clock.after(REWRITE_AFTER_MS, () => {
      this.#rewriting = null;
      this.#queue.resume();
    });
  }

  async #over<T>(connection: Connection, request: Promise<Result<T, CodedError>>): Promise<Result<T, CodedError>> {
    const reply = await request;
    if (reply.ok) return reply;
    this.#session.report(connection, reply.error);
    return err(reply.error);
  }
}
