import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ILeaseKeepAliveRequest } from 'etcd3';
import type { CodedError } from '../../../../src/core/errors.ts';
import { LeaseKeeper, sessionOf } from '../../../../src/sources/etcd/lease.ts';
import type { KeepAliveStream } from '../../../../src/sources/etcd/link.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';

/** The client's end of a keepalive stream; the test plays the server. */
class FakeStream extends EventEmitter {
  readonly sent: ILeaseKeepAliveRequest[] = [];
  given = '';

  write(request: ILeaseKeepAliveRequest): void {
    this.sent.push(request);
  }
  end(): void {
    this.given += 'ended ';
  }
  cancel(): void {
    this.given += 'cancelled';
  }
  answer(ttl: number): void {
    this.emit('data', { ID: '77', TTL: String(ttl) });
  }
}

describe('keeping a lease of 9 s', () => {
  let clock: ManualClock;
  let stream: FakeStream;
  let ends: CodedError[];
  let keeper: LeaseKeeper;

  beforeEach(() => {
    clock = new ManualClock();
    stream = new FakeStream();
    ends = [];
    const lease = { id: '77', ttlMs: 9_000 };
    keeper = new LeaseKeeper(stream satisfies KeepAliveStream, lease, clock, (error) => ends.push(error));
  });

  test('asks at once, and then every third of it', () => {
    expect(stream.sent).toEqual([{ ID: '77' }]);
    for (let n = 1; n <= 5; n++) {
      stream.answer(9);
      clock.advance(2_999);
      expect(stream.sent).toHaveLength(n);
      clock.advance(1);
      expect(stream.sent).toHaveLength(n + 1);
    }
    expect(ends).toEqual([]);
  });

  test('an answer that stays away ends it within two thirds of the lease', () => {
    stream.answer(9);
    clock.advance(3_000);
    clock.advance(1_999);
    expect(ends).toEqual([]);
    clock.advance(1);
    expect(ends).toMatchObject([{ code: 'STORE_DISCONNECTED', transient: true }]);
    expect(clock.monotonic()).toBeLessThan(6_000);
    expect(stream.given).toBe('ended cancelled');
  });

  test('a lease that is gone is told from a connection that is', () => {
    stream.answer(0);
    expect(ends).toMatchObject([{ code: 'STORE_SESSION_EXPIRED' }]);
    expect(ends[0]?.message).toContain('4d');
  });

  test('it ends once, however much goes wrong', () => {
    stream.emit('error', new Error('14 UNAVAILABLE: Connection dropped'));
    stream.emit('end');
    stream.answer(0);
    clock.advance(60_000);
    expect(ends).toMatchObject([{ code: 'STORE_DISCONNECTED' }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('stopped, it says and asks nothing more', () => {
    keeper.stop();
    stream.emit('error', new Error('1 CANCELLED: Cancelled on client'));
    clock.advance(60_000);
    expect(stream.sent).toHaveLength(1);
    expect(ends).toEqual([]);
  });
});

test('a session is named as etcdctl names its lease: in hexadecimal', () => {
  expect(sessionOf('7587869121338379786')).toBe('694d86c37b878e0a');
  expect(sessionOf('0')).toBe('0');
});
