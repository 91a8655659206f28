import { describeError } from '../core/errors.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../core/ports.ts';
import type { WorkerEntry } from '../core/worker-entry.ts';
import { checkTypes } from './catalog.ts';
import type { CheckType } from './definition.ts';
import type { CheckRunner, VerdictChanges, Verdicts, WantedCheck } from './port.ts';
import type { Notice } from './protocol.ts';
import type { SchedulerLimits } from './scheduler.ts';
import type { OpenShard } from './shard-link.ts';
import { openLocalShard, openWorkerShard } from './shard-link.ts';
import { ShardSupervisor } from './shard-supervisor.ts';
import { WantedSet, addMessages } from './wanted-set.ts';

export interface CheckRunnerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Threads that share the probes. One carries about 10,000 TCP or 5,000 HTTP checks at the default interval. */
  readonly workers?: number;
}

/** Totals over all threads, as of their last answered ping (every five seconds). */
export interface CheckStats {
  /** Different probe targets; verdicts that share one count once. */
  readonly probes: number;
  readonly inFlight: number;
  /** Finished probes since each thread started. */
  readonly succeeded: number;
  readonly failed: number;
  readonly notRun: number;
  /** The longest delay of a start in the last five seconds, in milliseconds. */
  readonly worstLateMs: number;
  /** Threads that died or hung and were started again. */
  readonly restarts: number;
}

/** The runner, and what the metrics want to know of it. */
export interface ObservedCheckRunner extends CheckRunner {
  stats(): CheckStats;
}

export const DEFAULT_WORKERS = 1;

/** Probes in worker threads, so that nothing they do delays the reconciler or a BGP keepalive. */
export function createCheckRunner(deps: CheckRunnerDeps & { readonly thread: WorkerEntry }): ObservedCheckRunner {
  return new ShardedCheckRunner(deps, openWorkerShard(deps.thread, deps.clock));
}

/** Probes on the calling thread, with time, chance and check types of the caller's choice. */
export function createLocalCheckRunner(
  deps: CheckRunnerDeps & { readonly types?: ReadonlyMap<string, CheckType>; readonly limits?: SchedulerLimits },
): ObservedCheckRunner {
  return new ShardedCheckRunner(deps, openLocalShard({ types: checkTypes, ...deps }));
}

/** Splits the wanted set over shards and gathers their verdicts. */
export class ShardedCheckRunner implements ObservedCheckRunner {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #wanted: WantedSet;
  readonly #shards: readonly ShardSupervisor[];
  readonly #pokes = new Set<{ readonly poke: () => void }>();
  #telling: Cancel | null = null;
  #closed = false;

  constructor(deps: CheckRunnerDeps, open: OpenShard) {
    const { clock, random, log, workers = DEFAULT_WORKERS } = deps;
    this.#clock = clock;
    this.#log = log;
    this.#wanted = new WantedSet(workers);
    this.#shards = Array.from(
      { length: workers },
      (_, shard) =>
        new ShardSupervisor({
          clock,
          random,
          log: log.child({ shard }),
          open,
          replay: () => this.#wanted.replay(shard),
          onNotices: (notices) => this.#take(notices),
          onSilent: () => {
            const changed = this.#wanted.doubt(shard, 'not run: the checking thread does not answer', clock.now());
            if (changed) this.#poke();
          },
        }),
    );
  }

  setWanted(checks: readonly WantedCheck[], restored?: Verdicts): void {
    if (this.#closed) return;
    const { defined, added, dropped, unused } = this.#wanted.replace(checks, restored, this.#clock.now());
    this.#shards.forEach((shard, index) => {
      for (const { id, definition } of defined) shard.post({ kind: 'define', id, definition });
      const here = added.filter((entry) => entry.probe.shard === index);
      for (const message of addMessages(here)) shard.post(message);
      // Dropped after the additions, so that a probe that both need goes on undisturbed.
      const gone = dropped.filter((entry) => entry.probe.shard === index).map(({ id }) => id);
      if (gone.length > 0) shard.post({ kind: 'drop', judges: gone });
      for (const { id } of unused) shard.post({ kind: 'undefine', id });
    });
  }

  verdicts(): Verdicts {
    return this.#wanted;
  }

  changes(since: number | null): VerdictChanges {
    return this.#wanted.changes(since);
  }

  onChange(poke: () => void): Unsubscribe {
    const listener = { poke };
    this.#pokes.add(listener);
    return () => void this.#pokes.delete(listener);
  }

  settled(): boolean {
    return this.#wanted.settled;
  }

  stats(): CheckStats {
    let total = { probes: 0, inFlight: 0, succeeded: 0, failed: 0, notRun: 0, worstLateMs: 0, restarts: 0 };
    for (const { counts, restarts } of this.#shards) {
      total = {
        probes: total.probes + (counts?.probes ?? 0),
        inFlight: total.inFlight + (counts?.inFlight ?? 0),
        succeeded: total.succeeded + (counts?.succeeded ?? 0),
        failed: total.failed + (counts?.failed ?? 0),
        notRun: total.notRun + (counts?.notRun ?? 0),
        worstLateMs: Math.max(total.worstLateMs, counts?.worstLateMs ?? 0),
        restarts: total.restarts + restarts,
      };
    }
    return total;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#telling?.();
    this.#pokes.clear();
    await Promise.all(this.#shards.map((shard) => shard.close()));
  }

  #take(notices: readonly Notice[]): void {
    let look = false;
    for (const notice of notices) {
      if (this.#wanted.update(notice.id, notice)) look = true;
    }
    if (look) this.#pokeSoon();
  }

  /**
   * All that has arrived in this turn of the event loop is told once, in the next. A busy thread finds a hundred
   * messages waiting, which all arrive in one turn: a pass for each would leave everything else without one.
   */
  #pokeSoon(): void {
    this.#telling ??= this.#clock.after(0, () => {
      this.#telling = null;
      this.#poke();
    });
  }

  #poke(): void {
    for (const { poke } of [...this.#pokes]) {
      try {
        poke();
      } catch (error) {
        this.#log.error({ code: 'INTERNAL', error: describeError(error) }, 'a listener to verdicts failed');
      }
    }
  }
}
