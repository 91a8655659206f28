import type { IWatchRequest } from 'etcd3';
import { CodedError } from '../../core/errors.ts';
import { etcdError } from './errors.ts';
import type { Keys } from './keys.ts';
import type { EtcdLink, WatchStream } from './link.ts';
import { giveUp } from './streams.ts';

export interface RecordWatchHandlers {
  /** Somebody deleted the record, we ourselves included. */
  readonly onDeleted: (path: string) => void;
  /** What happened to our records is no longer told; called once. */
  readonly onEnd: (error: CodedError) => void;
}

/**
 * A watch on each of our own records over one connection, so that we hear when somebody deletes one. On each of them
 * and not on `state/`, which would tell every agent of every other's comings and goings. Ends with its link.
 */
export class RecordWatch {
  readonly #keys: Keys;
  readonly #handlers: RecordWatchHandlers;
  readonly #opening: Promise<WatchStream | null>;
  /** Path → the number that we gave its watcher. */
  readonly #watchers = new Map<string, number>();
  #lastNumber = 0;

  constructor(link: Pick<EtcdLink, 'watch'>, keys: Keys, handlers: RecordWatchHandlers) {
    this.#keys = keys;
    this.#handlers = handlers;
    this.#opening = link.watch().then((opened) => {
      if (opened.ok) return this.#listen(opened.value);
      handlers.onEnd(opened.error);
      return null;
    });
  }

  /**
   * Watches a record from behind the revision at which it was known to be there; null: does so no longer.
   */
  follow(path: string, revision: string | null): void {
    const number = this.#watchers.get(path);
    if (revision === null && number !== undefined) {
      this.#watchers.delete(path);
      this.#send({ cancel_request: { watch_id: number } });
    } else if (revision !== null && number === undefined) {
      this.#lastNumber += 1;
      this.#watchers.set(path, this.#lastNumber);
      const start = (BigInt(revision) + 1n).toString();
      const create = { key: this.#keys.key(path), start_revision: start, watch_id: this.#lastNumber };
      this.#send({ create_request: { ...create, filters: ['Noput'] } });
    }
  }

  #send(request: IWatchRequest): void {
    void this.#opening.then((stream) => stream?.write(request));
  }

  #listen(stream: WatchStream): WatchStream {
    let over = false;
    const end = (error: CodedError): void => {
      if (over) return;
      over = true;
      giveUp(stream);
      this.#handlers.onEnd(error);
    };
    stream.on('error', (error) => end(etcdError(error, 'watch on our records')));
    stream.on('end', () => end(disconnected('ended')));
    stream.on('data', (reply) => {
      // Beginning again looks at every record. Credentials that may write but not read do without the watch.
      if (reply.canceled && reply.compact_revision !== '0') end(disconnected('overtaken by compaction'));
      for (const { type, kv } of reply.events) if (type === 'Delete') this.#handlers.onDeleted(this.#keys.path(kv.key));
    });
    return stream;
  }
}

function disconnected(how: string): CodedError {
  return new CodedError('STORE_DISCONNECTED', `watch on our records: ${how}`, { transient: true });
}
