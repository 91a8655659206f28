import type { IRequestStream } from 'etcd3';

/**
 * Gives up a stream. Ended before it is cancelled, because etcd3 takes the cancellation of a writable stream for a
 * failure of the member and drops the whole connection.
 */
export function giveUp(stream: IRequestStream<never>): void {
  stream.end();
  stream.cancel();
}
