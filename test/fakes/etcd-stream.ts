import { EventEmitter } from 'node:events';
import type { IWatchRequest } from 'etcd3';

/** The client's end of a watch stream; the test plays the member. */
export class FakeWatchStream extends EventEmitter {
  readonly sent: IWatchRequest[] = [];
  cancelled = false;

  write(request: IWatchRequest): void {
    this.sent.push(request);
  }

  end(): void {
    // Nothing of ours comes after it.
  }

  cancel(): void {
    this.cancelled = true;
  }

  /** WatchResponse (etcd: api/etcdserverpb/rpc.proto), as far as it is looked at; int64 is text. */
  answer(fields: object): void {
    const ended = { canceled: false, compact_revision: '0', cancel_reason: '' };
    this.emit('data', { created: false, ...ended, fragment: false, events: [], ...fields });
  }
}
