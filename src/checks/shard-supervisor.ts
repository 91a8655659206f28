import { Backoff } from '../core/backoff.ts';
import type { Cancel, Clock, Log, Random } from '../core/ports.ts';
import type { FromShard, Notice, ShardCounts, ToShard } from './protocol.ts';
import type { OpenShard, ShardLink } from './shard-link.ts';

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly open: OpenShard;
  /** Everything that a new shard must be told. */
  readonly replay: () => Iterable<ToShard>;
  readonly onNotices: (notices: readonly Notice[]) => void;
  /** The shard has been silent for so long that its verdicts can no longer be believed. */
  readonly onSilent: () => void;
}

/** How often a shard is asked for a sign of life. */
export const PING_MS = 5_000;
/**
 * Pings in a row without any answer before a shard is given up. Counted, not timed: after this whole process stood
 * still, what the shard sent meanwhile is read before the next ping is due.
 */
export const SILENT_PINGS = 3;
/** A shard that lived for this many pings has proven itself: the next restart is quick again. */
const PROVEN_PINGS = 6;

/** Keeps one shard alive: starts it, watches it, and starts another when it dies or hangs. */
export class ShardSupervisor {
  readonly #deps: SupervisorDeps;
  readonly #backoff: Backoff;
  #link: ShardLink | undefined;
  #closing: Promise<void>[] = [];
  #cancelReopen: Cancel | undefined;
  #cancelPing: Cancel | undefined;
  #pingsSinceOpen = 0;
  #unansweredByLink = 0;
  #unanswered = 0;
  #restarts = 0;
  #counts: ShardCounts | undefined;
  #closed = false;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ firstMs: 100, maxMs: 10_000, factor: 2, jitter: 0.25 }, deps.random);
    this.#open();
    this.#armPing();
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** As of the last answered ping. */
  get counts(): ShardCounts | undefined {
    return this.#counts;
  }

  /** Lost while no shard is open: the next one is told everything when it starts. */
  post(message: ToShard): void {
    this.#link?.post(message);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelReopen?.();
    this.#cancelPing?.();
    this.#letGo();
    await Promise.all(this.#closing);
  }

  #open(): void {
    const link = this.#deps.open({
      onMessage: (message) => {
        if (!this.#closed) this.#receive(message);
      },
      onEnd: (reason) => {
        if (link === this.#link) this.#ended(`the checking thread died: ${reason}`);
      },
    });
    this.#link = link;
    this.#pingsSinceOpen = 0;
    this.#unansweredByLink = 0;
    for (const message of this.#deps.replay()) link.post(message);
  }

  #receive(message: FromShard): void {
    if (message.kind === 'log') {
      this.#deps.log[message.level](message.fields, message.message);
      return;
    }
    this.#unanswered = 0;
    this.#unansweredByLink = 0;
    if (message.kind === 'pong') this.#counts = message.counts;
    else this.#deps.onNotices(message.notices);
  }

  #ended(reason: string): void {
    this.#link = undefined;
    this.#restarts++;
    const delayMs = Math.round(this.#backoff.next());
    this.#deps.log.error({ code: 'WORKER_DIED', reason, delayMs }, 'a checking thread is restarted; verdicts stay');
    this.#cancelReopen = this.#deps.clock.after(delayMs, () => this.#open());
  }

  #armPing(): void {
    this.#cancelPing = this.#deps.clock.after(PING_MS, () => {
      this.#ping();
      this.#armPing();
    });
  }

  #ping(): void {
    if (this.#unanswered === SILENT_PINGS) this.#deps.onSilent();
    if (this.#link !== undefined && this.#unansweredByLink >= SILENT_PINGS) {
      this.#letGo();
      this.#ended('the checking thread hangs');
    }
    this.#unanswered++;
    this.#unansweredByLink++;
    this.#pingsSinceOpen++;
    if (this.#pingsSinceOpen === PROVEN_PINGS) this.#backoff.reset();
    this.#link?.post({ kind: 'ping' });
  }

  #letGo(): void {
    if (this.#link === undefined) return;
    const closing = this.#link.close().finally(() => {
      this.#closing = this.#closing.filter((entry) => entry !== closing);
    });
    this.#closing.push(closing);
    this.#link = undefined;
  }
}
