import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { Coalescer } from '../../core/coalescer.ts';
import { CodedError, describeError } from '../../core/errors.ts';
import type { Cancel, Clock, Log, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { Listeners } from '../listeners.ts';
import { PublishQueue } from '../publish-queue.ts';
import type { EphemeralOwner, PublishReport, SessionState, Source, StoreRecord, StoreSnapshot } from '../source.ts';
import { CreationIndex } from './creation-index.ts';
import { fileError, isMissing } from './errors.ts';
import { FolderWatcher } from './folder-watcher.ts';
import { readSessions } from './ownership.ts';
import { CREATION_INDEX, RECORD_SUFFIX, locate } from './paths.ts';
import { Publisher } from './publisher.ts';
import { NO_ROOT, scan } from './scan.ts';
import { DirectorySession } from './session.ts';
import type { DirectorySettings } from './settings.ts';
import { SETTLE_MS, TreeReader } from './tree-reader.ts';
import type { TreeReading } from './tree-reader.ts';

/** Watches may lose events; a rescan finds what they lost. */
const RESCAN_MS = 2_000;
/** A large tree on a slow disk is scanned less often, so that scanning takes at most this share of the time. */
const RESCAN_SHARE = 0.02;
/** Events of one edit come in bunches: the first is told at once, the others together after this long. */
const GATHER_MS = 10;

export interface DirectorySourceDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The agent's store in a directory of JSON files: `<path>/config/vips/web.json` is the record `config/vips/web`, and a
 * folder is a folder. The root exists when `<path>/config` does. What makes a reading trustworthy: see TreeReader.
 */
export class DirectorySource implements Source {
  readonly name = 'directory';
  readonly #root: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changes: Listeners;
  readonly #states: Listeners;
  readonly #session: DirectorySession;
  readonly #publisher: Publisher;
  readonly #queue: PublishQueue;
  readonly #index: CreationIndex;
  readonly #reader: TreeReader;
  readonly #watcher: FolderWatcher;
  readonly #checks: Coalescer;
  readonly #tendEveryMs: number;
  readonly #timers = new Map<string, Cancel>();
  #reading: Promise<unknown>;
  #tending: Promise<void> = Promise.resolve();
  #seen = NO_ROOT;
  #ignored: ReadonlySet<string> = new Set();
  #eventsGathered = false;
  #closed = false;

  constructor(settings: DirectorySettings, deps: DirectorySourceDeps) {
    const log = deps.log.child({ source: 'directory' });
    const onError = (error: unknown): void => log.error({ error: describeError(error) }, 'a listener failed');
    const { path: root, sessionTimeoutMs: timeoutMs } = settings;
    this.#root = root;
    this.#clock = deps.clock;
    this.#log = log;
    this.#changes = new Listeners(onError);
    this.#states = new Listeners(onError);
    this.#session = new DirectorySession(root, timeoutMs, deps.clock, log, {
      onState: this.#states.poke,
      onOpened: () => this.#queue.resume(),
    });
    this.#publisher = new Publisher({ root, timeoutMs, clock: deps.clock, session: () => this.#session.id() });
    this.#queue = new PublishQueue((wanted) => this.#publisher.run(wanted), log);
    this.#index = new CreationIndex(join(root, CREATION_INDEX));
    this.#reader = new TreeReader('config', this.#index, deps.clock, log);
    this.#watcher = new FolderWatcher(() => this.#onEvent(), log);
    this.#checks = new Coalescer(
      () => this.#check(),
      (error) => {
        log.warn({ error: fileError(error, root).message }, 'the store could not be scanned');
      },
    );
    this.#tendEveryMs = Math.min(RESCAN_MS, timeoutMs / 3);
    this.#reading = this.#index.load();
  }

  start(): void {
    this.#tend();
    this.#checks.poke();
  }

  state(): SessionState {
    return this.#session.state();
  }

  snapshot(signal?: AbortSignal): Promise<Result<StoreSnapshot, CodedError>> {
    // One at a time: a reading builds on what the one before found.
    const reading = this.#reading.then(() => this.#snapshot(signal));
    this.#reading = reading;
    return reading;
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

  async owner(path: string): Promise<Result<EphemeralOwner | null, CodedError>> {
    const place = locate(this.#root, path);
    if (!place.ok) return place;
    try {
      const sessions = await readSessions(this.#root, this.#clock.now());
      const owner = sessions.find((each) => !each.expired && each.records.includes(path));
      if (owner === undefined) return ok(null);
      return ok({ session: owner.session, bytes: await readFile(`${place.value}${RECORD_SUFFIX}`) });
    } catch (error) {
      return isMissing(error) ? ok(null) : err(fileError(error, path));
    }
  }

  adoptSessions(sessions: readonly string[]): void {
    this.#publisher.adopt(sessions);
  }

  async close(options: { readonly keepEphemeral: boolean }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#watcher.close();
    await this.#checks.stop();
    await this.#tending;
    await this.#queue.idle();
    await this.#session.close(options);
  }

  async #snapshot(signal?: AbortSignal): Promise<Result<StoreSnapshot, CodedError>> {
    if (this.#closed) return err(new CodedError('STORE_CLOSED', 'the directory source is closed'));
    const reading = await this.#reader.read(this.#root, signal);
    if (!reading.ok) return reading;
    const { exists, records, settled } = reading.value;
    this.#seen = reading.value.scan.digest;
    if (settled) await this.#enterBirths(reading.value);
    else this.#after('settle', SETTLE_MS, this.#changes.poke);
    return ok({ position: positionOf(records), rootExists: exists, records });
  }

  async #enterBirths({ exists, scan: found }: TreeReading): Promise<void> {
    if (!exists) return;
    const births = new Map<string, bigint>();
    for (const [path, entry] of found.entries) if (entry.kind === 'file') births.set(path, entry.stats.birthtimeNs);
    try {
      await this.#index.sync(births);
    } catch (error) {
      this.#log.debug({ error: describeError(error) }, 'creation times cannot be kept; birth times of files stand in');
    }
  }

  /** Compares the tree with what was last seen of it, and watches the folders that it has now. */
  async #check(): Promise<void> {
    const started = this.#clock.monotonic();
    try {
      const digest = await this.#scanAndFollow();
      if (digest === this.#seen) return;
      this.#seen = digest;
      this.#changes.poke();
    } finally {
      const took = this.#clock.monotonic() - started;
      this.#after('rescan', Math.max(RESCAN_MS, took / RESCAN_SHARE), this.#checks.poke);
    }
  }

  async #scanAndFollow(): Promise<string> {
    const root = await realpath(this.#root).catch(() => null);
    if (root === null) {
      this.#watcher.follow([]);
      return NO_ROOT;
    }
    for (;;) {
      const found = await scan(root, 'config');
      for (const name of found.ignored) {
        if (!this.#ignored.has(name)) this.#log.info({ name }, 'not a .json file: not read');
      }
      this.#ignored = new Set(found.ignored);
      // A new folder may have been filled between the scan and its watch.
      if (this.#closed || !this.#watcher.follow([root, ...found.folders])) return found.digest;
    }
  }

  #onEvent(): void {
    this.#checks.poke();
    if (this.#timers.has('gather')) {
      this.#eventsGathered = true;
      return;
    }
    this.#eventsGathered = false;
    this.#changes.poke();
    this.#after('gather', GATHER_MS, () => {
      if (this.#eventsGathered) this.#onEvent();
    });
  }

  #tend(): void {
    this.#tending = this.#tendOnce().then(() => {
      this.#after('tend', this.#tendEveryMs, () => this.#tend());
    });
  }

  async #tendOnce(): Promise<void> {
    await this.#session.tend();
    if (await this.#publisher.missesSome()) this.#queue.resume();
  }

  /** One timer of each name: arming it again puts it off. */
  #after(name: string, ms: number, run: () => void): void {
    this.#timers.get(name)?.();
    if (this.#closed) return;
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(name);
      run();
    });
    this.#timers.set(name, cancel);
  }
}

function positionOf(records: ReadonlyMap<string, StoreRecord>): string {
  let newest = 0n;
  for (const record of records.values()) if (record.modified > newest) newest = record.modified;
  return newest === 0n ? 'empty' : `files of ${new Date(Number(newest / 1_000_000n)).toISOString()}`;
}
