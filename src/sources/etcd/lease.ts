import { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import { etcdError } from './errors.ts';
import { REQUEST_TIMEOUT_MS } from './limits.ts';
import type { KeepAliveStream } from './link.ts';
import { giveUp } from './streams.ts';

export interface Lease {
  /** Decimal, as etcd's clients carry it. */
  readonly id: string;
  readonly ttlMs: number;
}

/** The name of a lease for people and other tools: `etcdctl lease list` prints the same. */
export function sessionOf(leaseId: string): string {
  return BigInt(leaseId).toString(16);
}

/**
 * Keeps a lease alive over one stream, and watches the stream itself: an answer that stays away tells of a frozen or
 * cut-off member within 2/3 of the lease's time (its third, plus the wait for an answer), long before TCP would.
 * A keepalive must pass the cluster's leader, so an answer also proves that the member is not on its own.
 */
export class LeaseKeeper {
  readonly #stream: KeepAliveStream;
  readonly #lease: Lease;
  readonly #clock: Clock;
  readonly #onEnd: (error: CodedError) => void;
  #cancelTimer: Cancel = () => undefined;
  #answered = true;
  #over = false;

  /** @param onEnd called once, when the lease is gone (STORE_SESSION_EXPIRED) or the stream is of no use any more */
  constructor(stream: KeepAliveStream, lease: Lease, clock: Clock, onEnd: (error: CodedError) => void) {
    this.#stream = stream;
    this.#lease = lease;
    this.#clock = clock;
    this.#onEnd = onEnd;
    stream.on('data', (reply) => {
      if (Number(reply.TTL) > 0) this.#answered = true;
      else
        this.#end(new CodedError('STORE_SESSION_EXPIRED', `lease ${sessionOf(lease.id)} is gone`, { transient: true }));
    });
    stream.on('error', (error) => this.#end(etcdError(error, 'lease keepalive')));
    stream.on('end', () =>
      this.#end(new CodedError('STORE_DISCONNECTED', 'lease keepalive: ended', { transient: true })),
    );
    this.#send();
  }

  stop(): void {
    this.#over = true;
    this.#cancelTimer();
    giveUp(this.#stream);
  }

  #send(): void {
    this.#answered = false;
    this.#stream.write({ ID: this.#lease.id });
    const interval = this.#lease.ttlMs / 3;
    const patience = Math.min(interval, REQUEST_TIMEOUT_MS);
    this.#cancelTimer = this.#clock.after(patience, () => {
      if (this.#answered) this.#cancelTimer = this.#clock.after(interval - patience, () => this.#send());
      else {
        const text = `lease keepalive: no answer for ${Math.round(patience)} ms`;
        this.#end(new CodedError('STORE_DISCONNECTED', text, { transient: true }));
      }
    });
  }

  #end(error: CodedError): void {
    if (this.#over) return;
    this.stop();
    this.#onEnd(error);
  }
}
