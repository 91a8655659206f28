import { InterceptingCall, status } from '@grpc/grpc-js';
import type { Interceptor } from '@grpc/grpc-js';

/**
 * etcd's answers to a token that has run out (simple tokens live five minutes without use) or that was made before the
 * users were changed (etcd: api/v3rpc/rpctypes/error.go, ErrInvalidAuthToken and ErrAuthOldRevision).
 */
const TOKEN_GONE = /invalid auth token|revision of auth store is old/;

/**
 * The token of one connection, set on every call. etcd3 has a way of its own, which we do not use: it opens a channel
 * for each renewal and never closes it, and it repeats a refused call without end.
 */
export class Token {
  value: string | null = null;

  readonly interceptor: Interceptor = (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) => {
        if (this.value !== null) metadata.set('token', this.value);
        next(metadata, {
          onReceiveStatus: (received, pass) => {
            // In other words than etcd's, so that etcd3 does not see what it would react to.
            if (TOKEN_GONE.test(received.details)) {
              pass({ ...received, code: status.UNAUTHENTICATED, details: 'token refused' });
            } else pass(received);
          },
        });
      },
    });
}
