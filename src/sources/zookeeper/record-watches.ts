import { addRecursiveWatch, removeWatches } from './calls.ts';
import type { Call } from './calls.ts';

interface WatchingSession {
  /** Tells connections apart; 0 while there is none. */
  readonly connection: number;
  request<T>(call: Call<T>): Promise<unknown>;
}

/**
 * A watch on each of our own records, so that we hear when somebody deletes one. On each of them and not on their
 * folders, which would tell every agent of every other's comings and goings. Watches live as long as the connection.
 */
export class RecordWatches {
  readonly #session: WatchingSession;
  readonly #watched = new Set<string>();
  #connection = 0;

  constructor(session: WatchingSession) {
    this.#session = session;
  }

  /** Watches these nodes and no others. Requests keep their order, so what is written afterwards is watched already. */
  follow(paths: ReadonlySet<string>): void {
    const { connection } = this.#session;
    if (connection !== this.#connection) this.#watched.clear();
    this.#connection = connection;
    if (connection === 0) return;
    // A refused watch is not worth a failed publication: the slow refresh notices what it would have told.
    for (const path of paths) {
      if (!this.#watched.has(path)) void this.#session.request(addRecursiveWatch(path));
      this.#watched.add(path);
    }
    for (const path of this.#watched) {
      if (paths.has(path)) continue;
      void this.#session.request(removeWatches(path));
      this.#watched.delete(path);
    }
  }
}
