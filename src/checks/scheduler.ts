import type { Cancel, Clock, Random } from '../core/ports.ts';
import type { Due } from './due-queue.ts';
import { DueQueue } from './due-queue.ts';

/** How often jobs run. */
export interface Rhythm {
  readonly intervalMs: number;
  /** Share of the interval by which each start is shifted, 0..0.5. */
  readonly jitter: number;
}

/** A job that runs again and again. The scheduler keeps its own notes in the fields of `Due` and in `nominalAt`. */
export interface Recurring extends Due {
  /** One object for many jobs. */
  readonly definition: Rhythm;
  /** When the next start would be without jitter, monotonic milliseconds. Kept by the scheduler. */
  nominalAt: number;
  /** Taken out while running: not queued again. Kept by the scheduler. */
  removed: boolean;
}

export interface SchedulerLimits {
  readonly maxInFlight: number;
  /** Starts in one turn of the event loop; the rest waits for the next turn, so that sockets and timers are served. */
  readonly maxStartsPerTurn: number;
}

/**
 * The in-flight limit is what sockets and memory allow, for the case that thousands of reals fall silent at once.
 * What limits the load on the processor is the number of starts in one turn: work that is slow makes turns longer,
 * and so starts rarer.
 */
export const DEFAULT_LIMITS: SchedulerLimits = { maxInFlight: 2_048, maxStartsPerTurn: 32 };

/** A start may be this late, so that starts close to each other share one wake-up. */
const GRAIN_MS = 5;
/** New jobs are spread over at most this time. */
const MAX_SPREAD_MS = 1_000;
/** And over no more than this for each of them, so that a few of them start at once. */
const SPREAD_EACH_MS = 2;

/**
 * Starts each job once an interval, at a fixed rate and never twice at once. One timer serves all of them.
 */
export class Scheduler<T extends Recurring> {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: SchedulerLimits;
  readonly #run: (job: T) => Promise<void>;
  readonly #queue = new DueQueue<T>();
  #inFlight = 0;
  #cancel: Cancel | undefined;
  #armedFor = Infinity;
  #worstLateMs = 0;
  #stopped = false;

  /** @param run must not reject */
  constructor(
    deps: { readonly clock: Clock; readonly random: Random },
    limits: SchedulerLimits,
    run: (job: T) => Promise<void>,
  ) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#limits = limits;
    this.#run = run;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The longest delay of a start since this was last asked, in milliseconds. */
  takeWorstLateness(): number {
    const worst = this.#worstLateMs;
    this.#worstLateMs = 0;
    return worst;
  }

  add(jobs: readonly T[]): void {
    const now = this.#clock.monotonic();
    for (const job of jobs) {
      const { intervalMs } = job.definition;
      const spread = Math.min(intervalMs, MAX_SPREAD_MS, jobs.length * SPREAD_EACH_MS);
      job.dueAt = now + this.#random() * spread;
      // From the second start on, which comes half an interval to one and a half later, jobs have a phase of their own.
      const phase = this.#random() * intervalMs;
      const earliest = job.dueAt + intervalMs / 2;
      const second = phase + Math.ceil((earliest - phase) / intervalMs) * intervalMs;
      job.nominalAt = second - intervalMs;
      job.removed = false;
      this.#queue.push(job);
    }
    this.#arm();
  }

  remove(job: T): void {
    job.removed = true;
    this.#queue.remove(job);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #arm(): void {
    const first = this.#queue.first();
    if (first === undefined || this.#stopped || this.#inFlight >= this.#limits.maxInFlight) return;
    if (this.#cancel !== undefined && this.#armedFor <= first.dueAt) return;
    this.#cancel?.();
    this.#armedFor = first.dueAt;
    const wait = first.dueAt - this.#clock.monotonic();
    this.#cancel = this.#clock.after(wait > 0 ? Math.max(wait, GRAIN_MS) : 0, () => {
      this.#cancel = undefined;
      this.#turn();
    });
  }

  #turn(): void {
    const now = this.#clock.monotonic();
    for (let started = 0; started < this.#limits.maxStartsPerTurn; started++) {
      if (this.#inFlight >= this.#limits.maxInFlight) break;
      const job = this.#queue.first();
      if (job === undefined || job.dueAt > now) break;
      this.#queue.remove(job);
      this.#start(job, now);
    }
    this.#arm();
  }

  #start(job: T, now: number): void {
    this.#worstLateMs = Math.max(this.#worstLateMs, now - job.dueAt);
    this.#inFlight++;
    void this.#run(job).finally(() => {
      this.#inFlight--;
      if (!job.removed && !this.#stopped) this.#requeue(job);
      this.#arm();
    });
  }

  #requeue(job: T): void {
    const now = this.#clock.monotonic();
    const { intervalMs, jitter } = job.definition;
    // Starts that were missed are not made up for: that would only add to the load that delayed them.
    job.nominalAt = Math.max(job.nominalAt + intervalMs, now);
    job.dueAt = Math.max(now, job.nominalAt + intervalMs * jitter * (this.#random() - 0.5));
    this.#queue.push(job);
  }
}
