import type { IEvent } from 'etcd3';
import type { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock, Random } from '../../core/ports.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Keys } from './keys.ts';
import { readBelow } from './reader.ts';
import type { RangeLink, Reading } from './reader.ts';
import { applyEvents } from './tree-events.ts';

/** Bounds of what is remembered between two readings: more, and listing everything is cheaper. */
const MAX_EVENTS = 50_000;
const MAX_EVENT_BYTES = 32 * 1024 * 1024;

/** What listings that nothing asks for may cost the store for each agent: as much as the refresh of its health. */
const REREAD_BYTES_PER_MS = 8;
/** A random share of that time on top: agents that started together shall not list together. */
const JITTER = 0.5;

export interface ConfigTreeDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** From one listing to the next that nothing asks for, unless the budget says later. 0: by every reading. */
  readonly rereadEveryMs: number;
  /** It is time to list again: read. */
  readonly onStale: () => void;
}

/**
 * What we know of everything under `config/`, kept true by the events of the watch. It stands for exactly one revision:
 * that of a listing, or of the last transaction whose events have all come. A listing is taken over only if the watch
 * has stood since before it began, so what the listing does not have in it, the watch tells.
 */
export class ConfigTree {
  readonly #keys: Keys;
  readonly #deps: ConfigTreeDeps;
  #tree: Reading | null = null;
  /** What the watch has told since, oldest first; some of it may be older than the listing. */
  #events: IEvent[] = [];
  /** How many of them may be applied: those behind are part of a reply whose rest is still to come. */
  #whole = 0;
  #eventBytes = 0;
  /** Gaps, and listings that were taken over: one that was under way then may lack what is not told again. */
  #epoch = 0;
  #reread: Cancel = () => undefined;

  constructor(keys: Keys, deps: ConfigTreeDeps) {
    this.#keys = keys;
    this.#deps = deps;
  }

  /** What happened up to now may not have been told: the next reading lists. Never wrong, only costly. */
  readonly forget = (): void => {
    this.#epoch += 1;
    this.#tree = null;
    this.#events = [];
    this.#whole = 0;
    this.#eventBytes = 0;
    this.#reread();
  };

  /** @param more the rest of the same reply, and perhaps of the same transaction, is still to come */
  note(events: readonly IEvent[], more: boolean): void {
    for (const event of events) {
      this.#events.push(event);
      this.#eventBytes += event.kv.key.length + event.kv.value.length;
    }
    if (!more) this.#whole = this.#events.length;
    // What comes of such a reply later happened before the listing that comes now, and is passed over.
    if (this.#events.length > MAX_EVENTS || this.#eventBytes > MAX_EVENT_BYTES) this.forget();
  }

  /** Sends nothing when the events led on from what we had. */
  async read(link: RangeLink, signal?: AbortSignal): Promise<Result<Reading, CodedError>> {
    const { clock, random, rereadEveryMs, onStale } = this.#deps;
    if (rereadEveryMs === 0) this.forget();
    const known = this.#advance();
    if (known !== null) return ok(known);
    const epoch = this.#epoch;
    const reading = await readBelow(link, this.#keys, 'config', { signal });
    if (!reading.ok || rereadEveryMs === 0) return reading;
    if (epoch !== this.#epoch) return ok(this.#advance() ?? reading.value);
    this.#epoch += 1;
    this.#tree = reading.value;
    const afterMs = Math.max(rereadEveryMs, reading.value.bytes / REREAD_BYTES_PER_MS);
    this.#reread();
    this.#reread = clock.after(afterMs * (1 + JITTER * random()), () => {
      this.forget();
      onStale();
    });
    return ok(this.#advance() ?? reading.value);
  }

  #advance(): Reading | null {
    if (this.#tree === null || this.#whole === 0) return this.#tree;
    const events = this.#events.splice(0, this.#whole);
    this.#whole = 0;
    this.#eventBytes = this.#events.reduce((sum, { kv }) => sum + kv.key.length + kv.value.length, 0);
    this.#tree = applyEvents(this.#keys, this.#tree, events);
    if (this.#tree === null) this.forget();
    return this.#tree;
  }
}
