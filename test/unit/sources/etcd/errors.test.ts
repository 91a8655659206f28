import { describe, expect, test } from 'vitest';
import { CodedError } from '../../../../src/core/errors.ts';
import { breaksConnection, etcdError, isCompacted } from '../../../../src/sources/etcd/errors.ts';

/** Texts of grpc-js 1.14 and of etcd 3.4 (etcdserver/api/v3rpc/rpctypes/error.go), with the status that carries each. */
describe('errors of etcd and gRPC', () => {
  test.each<[string, string, boolean, boolean]>([
    [
      '14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:2379',
      'STORE_UNREACHABLE',
      true,
      true,
    ],
    ['14 UNAVAILABLE: etcdserver: no leader', 'STORE_UNREACHABLE', true, true],
    ['14 UNAVAILABLE: etcdserver: request timed out', 'STORE_DISCONNECTED', true, true],
    ['14 UNAVAILABLE: Connection dropped', 'STORE_DISCONNECTED', true, true],
    [
      '4 DEADLINE_EXCEEDED: Deadline exceeded after 2.001s,remote_addr=127.0.0.1:2379',
      'STORE_DISCONNECTED',
      true,
      true,
    ],
    ['1 CANCELLED: Cancelled on client', 'STORE_DISCONNECTED', true, true],
    [
      '3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password',
      'STORE_AUTH_FAILED',
      false,
      false,
    ],
    ['3 INVALID_ARGUMENT: etcdserver: user name is empty', 'STORE_AUTH_FAILED', false, false],
    ['9 FAILED_PRECONDITION: etcdserver: authentication is not enabled', 'STORE_AUTH_FAILED', false, false],
    ['16 UNAUTHENTICATED: token refused', 'STORE_AUTH_FAILED', true, false],
    ['7 PERMISSION_DENIED: etcdserver: permission denied', 'STORE_FORBIDDEN', false, false],
    ['rpc error: code = PermissionDenied desc = etcdserver: permission denied', 'STORE_FORBIDDEN', false, false],
    ['8 RESOURCE_EXHAUSTED: Received message larger than max (8005289 vs 4194304)', 'STORE_TOO_LARGE', false, false],
    ['3 INVALID_ARGUMENT: etcdserver: request is too large', 'STORE_TOO_LARGE', false, false],
    ['3 INVALID_ARGUMENT: etcdserver: too many operations in txn request', 'STORE_TOO_LARGE', false, false],
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'STORE_TOO_LARGE', true, false],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', 'STORE_UNREACHABLE', true, true],
    ['5 NOT_FOUND: etcdserver: requested lease not found', 'STORE_SESSION_EXPIRED', true, false],
    ['11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted', 'STORE_CONFLICT', true, false],
    ['13 INTERNAL: something that nobody foresaw', 'STORE_PROTOCOL', false, true],
  ])('%s', (message, code, transient, breaks) => {
    const error = etcdError(new Error(message), 'read at etcd1');
    expect(error).toMatchObject({ code, transient });
    expect(error.message).toBe(`read at etcd1: ${message}`);
    expect(breaksConnection(error)).toBe(breaks);
    expect(isCompacted(error)).toBe(message.includes('compacted'));
  });

  test('our own pass through', () => {
    const own = new CodedError('SECRET_UNREADABLE', 'file:/x');
    expect(etcdError(own, 'login')).toBe(own);
  });
});
