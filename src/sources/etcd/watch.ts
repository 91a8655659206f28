import type { IEvent } from 'etcd3';
import { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { etcdError } from './errors.ts';
import { REQUEST_TIMEOUT_MS } from './limits.ts';
import type { EtcdLink, WatchStream } from './link.ts';
import { giveUp } from './streams.ts';

export interface WatchRange {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

/** The part of a connection that a watch needs. */
export type WatchLink = Pick<EtcdLink, 'range' | 'watch'>;

export interface WatchHandlers {
  /**
   * What happened to keys in the range, in order. `more`: etcd has split its reply, and the rest is still to come.
   */
  readonly onEvents: (events: readonly IEvent[], more: boolean) => void;
  /** The watch stands anew. What happened up to now may not have been told, and what happens from now on is. */
  readonly onGap: () => void;
  /** The watch is of no use any more; called once. */
  readonly onEnd: (error: CodedError) => void;
}

/**
 * A watch on one range over one connection. It starts right behind a revision that was read over the same connection;
 * whoever starts it reads the range afterwards, so that nothing falls between. When etcd ends it because the revisions
 * it waited for were compacted away, it starts again in the same way and calls `onGap`.
 */
export class ConfigWatch {
  readonly #link: WatchLink;
  readonly #range: WatchRange;
  readonly #clock: Clock;
  readonly #handlers: WatchHandlers;
  #stream: WatchStream | null = null;
  #over = false;

  constructor(link: WatchLink, range: WatchRange, clock: Clock, handlers: WatchHandlers) {
    this.#link = link;
    this.#range = range;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  /** Resolves once etcd has confirmed the watch. */
  async start(): Promise<Result<void, CodedError>> {
    const now = await this.#link.range({ ...this.#range, count_only: true });
    if (!now.ok) return now;
    const opened = await this.#link.watch();
    if (!opened.ok) return opened;
    const stream = opened.value;
    if (this.#over) {
      giveUp(stream);
      return err(new CodedError('STORE_CLOSED', 'watch: stopped'));
    }
    this.#stream = stream;
    const from = (BigInt(now.value.header.revision) + 1n).toString();
    return this.#create(stream, from);
  }

  stop(): void {
    this.#over = true;
    if (this.#stream !== null) giveUp(this.#stream);
  }

  #create(stream: WatchStream, from: string): Promise<Result<void, CodedError>> {
    return new Promise((resolve) => {
      let created = false;
      let cancelTimer: Cancel = () => undefined;
      const fail = (error: CodedError): void => {
        if (this.#stream !== stream) return;
        this.#stream = null;
        giveUp(stream);
        cancelTimer();
        if (!created) resolve(err(error));
        else if (!this.#over) this.#handlers.onEnd(error);
      };
      cancelTimer = this.#clock.after(REQUEST_TIMEOUT_MS, () => fail(broken('no answer to its creation')));
      stream.on('error', (error) => fail(etcdError(error, 'watch')));
      stream.on('end', () => fail(broken('ended')));
      stream.on('data', (reply) => {
        if (this.#stream !== stream) return;
        if (reply.canceled) {
          if (created && reply.compact_revision !== '0') this.#startAgain(stream);
          else fail(etcdError(new Error(reply.cancel_reason || 'canceled without a reason'), 'watch'));
        } else if (reply.created) {
          created = true;
          cancelTimer();
          resolve(ok(undefined));
        } else if (reply.events.length > 0) this.#handlers.onEvents(reply.events, reply.fragment);
      });
      stream.write({
        create_request: { ...this.#range, start_revision: from, fragment: true },
      });
    });
  }

  #startAgain(stream: WatchStream): void {
    this.#stream = null;
    giveUp(stream);
    void this.start().then((started) => {
      if (this.#over) return;
      if (started.ok) this.#handlers.onGap();
      else this.#handlers.onEnd(started.error);
    });
  }
}

function broken(how: string): CodedError {
  return new CodedError('STORE_DISCONNECTED', `watch: ${how}`, { transient: true });
}
