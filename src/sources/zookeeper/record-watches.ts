import type { CodedError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';
import { addRecursiveWatch, removeWatches } from './calls.ts';
import type { Call } from './calls.ts';

interface WatchingSession {
  /** Tells connections apart; 0 while there is none. */
  readonly connection: number;
  request<T>(call: Call<T>): Promise<Result<T, CodedError>>;
}

/**
 * A watch on each of our own records, so that we hear when somebody deletes one. On each of them and not on their
 * folders, which would tell every agent of every other's comings and goings. Watches live as long as the connection.
 */
export class RecordWatches {
  readonly #session: WatchingSession;
  readonly #watched = new Set<string>();
  /** Those of them that the server has taken. */
  readonly #standing = new Set<string>();
  #connection = 0;

  constructor(session: WatchingSession) {
    this.#session = session;
  }

  /**
   * Watches a node from now on, or does so no longer. Requests keep their order, so what is written afterwards is
   * watched already. A refused watch is not worth a failed publication: the slow refresh notices what it would have
   * told.
   */
  follow(path: string, isWanted: boolean): void {
    const { connection } = this.#session;
    if (connection !== this.#connection) {
      this.#watched.clear();
      this.#standing.clear();
    }
    this.#connection = connection;
    if (connection === 0 || this.#watched.has(path) === isWanted) return;
    if (isWanted) {
      this.#watched.add(path);
      void this.#session.request(addRecursiveWatch(path)).then((taken) => {
        if (taken.ok && this.#connection === connection && this.#watched.has(path)) this.#standing.add(path);
      });
    } else {
      this.#watched.delete(path);
      this.#standing.delete(path);
      void this.#session.request(removeWatches(path));
    }
  }

  /** Whether we would have heard by now of the end of the node. */
  stands(path: string): boolean {
    return this.#session.connection === this.#connection && this.#standing.has(path);
  }
}
