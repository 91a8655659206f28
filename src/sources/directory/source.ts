import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, describeError } from '../../core/errors.ts';
import type { Clock, Log, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { Listeners } from '../listeners.ts';
import { PublishQueue } from '../publish-queue.ts';
import type { EphemeralOwner, PublishReport, SessionState, Source, StoreRecord, StoreSnapshot } from '../source.ts';
import { CreationIndex } from './creation-index.ts';
import { fileError, isMissing } from './errors.ts';
import { NamedTimers } from './named-timers.ts';
import { readSessions } from './ownership.ts';
import { CREATION_INDEX, RECORD_SUFFIX, locate } from './paths.ts';
import { Publisher } from './publisher.ts';
import { DirectorySession } from './session.ts';
import type { DirectorySettings } from './settings.ts';
import { SETTLE_MS, TreeReader } from './tree-reader.ts';
import type { TreeReading } from './tree-reader.ts';
import { TreeWatch } from './tree-watch.ts';

/** The session is looked after this often, or more often where it is short. */
const TEND_MS = 2_000;

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
  readonly #watch: TreeWatch;
  readonly #tendEveryMs: number;
  readonly #timers: NamedTimers;
  #reading: Promise<unknown>;
  #tending: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(settings: DirectorySettings, deps: DirectorySourceDeps) {
    const log = deps.log.child({ source: 'directory' });
    const onError = (error: unknown): void => log.error({ error: describeError(error) }, 'a listener failed');
    const { path: root, sessionTimeoutMs: timeoutMs } = settings;
    this.#root = root;
    this.#clock = deps.clock;
    this.#timers = new NamedTimers(deps.clock);
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
    this.#watch = new TreeWatch(
      root,
      'config',
      { clock: deps.clock, log },
      {
        onChange: this.#changes.poke,
        onState: (error) => {
          if (error !== null) log.warn({ error: error.message }, 'the store could not be scanned');
        },
      },
    );
    this.#tendEveryMs = Math.min(TEND_MS, timeoutMs / 3);
    this.#reading = this.#index.load();
  }

  start(): void {
    this.#tend();
    this.#watch.start();
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
    this.#timers.close();
    await this.#watch.stop();
    await this.#tending;
    await this.#queue.idle();
    await this.#session.close(options);
  }

  async #snapshot(signal?: AbortSignal): Promise<Result<StoreSnapshot, CodedError>> {
    if (this.#closed) return err(new CodedError('STORE_CLOSED', 'the directory source is closed'));
    const reading = await this.#reader.read(this.#root, signal);
    if (!reading.ok) return reading;
    const { exists, records, settled } = reading.value;
    this.#watch.note(reading.value.scan.digest);
    if (settled) await this.#enterBirths(reading.value);
    else this.#timers.arm('settle', SETTLE_MS, this.#changes.poke);
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

  #tend(): void {
    this.#tending = this.#tendOnce().then(() => {
      this.#timers.arm('tend', this.#tendEveryMs, () => this.#tend());
    });
  }

  async #tendOnce(): Promise<void> {
    await this.#session.tend();
    if (await this.#publisher.missesSome()) this.#queue.resume();
  }
}

function positionOf(records: ReadonlyMap<string, StoreRecord>): string {
  let newest = 0n;
  for (const record of records.values()) if (record.modified > newest) newest = record.modified;
  return newest === 0n ? 'empty' : `files of ${new Date(Number(newest / 1_000_000n)).toISOString()}`;
}
