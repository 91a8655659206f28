import type { CodedError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import type { PublishReport } from './source.ts';

export type WantedRecords = ReadonlyMap<string, Uint8Array>;

/**
 * Remembers the set that is wanted and runs one publication at a time, with at most one waiting. The waiting one takes
 * the newest set, so a burst of calls costs two runs, and every caller gets the report of a run that began after it.
 */
export class PublishQueue {
  readonly #run: (wanted: WantedRecords) => Promise<Result<PublishReport, CodedError>>;
  readonly #log: Log;
  #wanted: WantedRecords | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<Result<PublishReport, CodedError>> | null = null;

  /** @param run must not throw */
  constructor(run: (wanted: WantedRecords) => Promise<Result<PublishReport, CodedError>>, log: Log) {
    this.#run = run;
    this.#log = log;
  }

  publish(records: WantedRecords): Promise<Result<PublishReport, CodedError>> {
    this.#wanted = new Map(records);
    return this.#enqueue(this.#wanted);
  }

  /** A session stands, perhaps a new one: what is wanted is published again without being asked for. */
  resume(): void {
    if (this.#wanted === null) return;
    void this.#enqueue(this.#wanted).then((result) => {
      if (!result.ok) this.#log.warn({ error: result.error.message }, 'records could not be published again');
      else if (result.value.refused.size > 0) {
        this.#log.warn({ refused: Object.fromEntries(result.value.refused) }, 'records are held by another session');
      }
    });
  }

  /** Resolves once no run is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #enqueue(wanted: WantedRecords): Promise<Result<PublishReport, CodedError>> {
    if (this.#waiting !== null) return this.#waiting;
    const run = this.#running.then(() => {
      this.#waiting = null;
      return this.#run(this.#wanted ?? wanted);
    });
    this.#waiting = run;
    this.#running = run;
    return run;
  }
}
