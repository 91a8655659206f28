import { realpath } from 'node:fs/promises';
import { Coalescer } from '../../core/coalescer.ts';
import type { CodedError } from '../../core/errors.ts';
import type { Clock, Log } from '../../core/ports.ts';
import { fileError } from './errors.ts';
import { FolderWatcher } from './folder-watcher.ts';
import { NamedTimers } from './named-timers.ts';
import { NO_ROOT, glance } from './scan.ts';

/** Watches may lose events; a rescan finds what they lost. */
const RESCAN_MS = 2_000;
/** A large tree on a slow disk is scanned less often, so that scanning takes at most this share of the time. */
const RESCAN_SHARE = 0.02;
/** Events of one edit come in bunches: the first is told at once, the others together after this long. */
const GATHER_MS = 10;

export interface TreeWatchHooks {
  /** Something changed, or may have. */
  readonly onChange: () => void;
  /** The tree can no longer be scanned; null = it can again. Told once each. */
  readonly onState: (error: CodedError | null) => void;
}

/** Tells when a part of a directory store changes: by events of its folders at once, by a slow rescan for sure. */
export class TreeWatch {
  readonly #root: string;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hooks: TreeWatchHooks;
  readonly #watcher: FolderWatcher;
  readonly #checks: Coalescer;
  readonly #timers: NamedTimers;
  #seen = NO_ROOT;
  #ignored: ReadonlySet<string> = new Set();
  #eventsGathered = false;
  #failing = false;
  #closed = false;

  constructor(root: string, prefix: string, deps: { readonly clock: Clock; readonly log: Log }, hooks: TreeWatchHooks) {
    this.#root = root;
    this.#prefix = prefix;
    this.#clock = deps.clock;
    this.#timers = new NamedTimers(deps.clock);
    this.#log = deps.log;
    this.#hooks = hooks;
    this.#watcher = new FolderWatcher(() => this.#onEvent(), deps.log);
    this.#checks = new Coalescer(
      () => this.#check(),
      (error) => {
        this.#failing = true;
        hooks.onState(fileError(error, root));
      },
    );
  }

  start(): void {
    this.#checks.poke();
  }

  /** The digest of a reading: what it found is no news. */
  note(digest: string): void {
    this.#seen = digest;
  }

  async stop(): Promise<void> {
    this.#closed = true;
    this.#timers.close();
    this.#watcher.close();
    await this.#checks.stop();
  }

  /** Compares the tree with what was last seen of it, and watches the folders that it has now. */
  async #check(): Promise<void> {
    const started = this.#clock.monotonic();
    try {
      const digest = await this.#scanAndFollow();
      if (this.#failing) this.#hooks.onState(null);
      this.#failing = false;
      if (digest === this.#seen) return;
      this.#seen = digest;
      this.#hooks.onChange();
    } finally {
      const took = this.#clock.monotonic() - started;
      this.#timers.arm('rescan', Math.max(RESCAN_MS, took / RESCAN_SHARE), this.#checks.poke);
    }
  }

  async #scanAndFollow(): Promise<string> {
    const root = await realpath(this.#root).catch(() => null);
    if (root === null) {
      this.#watcher.follow([]);
      return NO_ROOT;
    }
    for (;;) {
      const found = await glance(root, this.#prefix);
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
    this.#hooks.onChange();
    this.#timers.arm('gather', GATHER_MS, () => {
      if (this.#eventsGathered) this.#onEvent();
    });
  }
}
