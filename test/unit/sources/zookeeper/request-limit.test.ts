import { beforeEach, expect, test } from 'vitest';
import { RequestLimit } from '../../../../src/sources/zookeeper/request-limit.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';

let clock: ManualClock;
let limit: RequestLimit;

beforeEach(() => {
  clock = new ManualClock();
  limit = new RequestLimit(100_000, clock);
});

function hungUp(...lengths: readonly number[]): void {
  for (const length of lengths) {
    limit.begin();
    limit.hungUp(length);
  }
}

test('what the servers are said to take is not exceeded', () => {
  expect(limit.excess(100_000)).toBeNull();
  expect(limit.excess(100_001)).toBe('the request has 100001 bytes, the server takes 100000');
});

test('one connection that breaks at a large request proves nothing, two in a row do', () => {
  hungUp(50_000);
  expect(limit.suspect).toBe(50_000);
  expect(limit.excess(50_000)).toBeNull();
  hungUp(50_000);
  expect(limit.excess(50_000)).toMatch(/has 50000 bytes, and servers have hung up on 50000 twice .*jute\.maxbuffer/);
  expect(limit.excess(49_999)).toBeNull();
});

test('of two lengths only the larger is known to be too large, and the smaller needs one more', () => {
  hungUp(50_000, 40_000);
  expect(limit.excess(50_000)).not.toBeNull();
  expect(limit.excess(40_000)).toBeNull();
  hungUp(40_000);
  expect(limit.excess(40_000)).not.toBeNull();
});

test('an answer to as large a request clears the suspicion', () => {
  hungUp(50_000);
  limit.begin();
  limit.took(50_000);
  limit.begin();
  hungUp(50_000);
  expect(limit.excess(50_000)).toBeNull();
});

test('a break after a larger request was answered over the same connection has another reason', () => {
  for (let n = 0; n < 3; n++) {
    limit.begin();
    limit.took(60_000);
    expect(limit.hungUp(50_000)).toBeNull();
  }
  expect(limit.suspect).toBeNull();
});

test('what one connection took says nothing about the server of the next', () => {
  limit.took(60_000);
  hungUp(50_000);
  expect(limit.suspect).toBe(50_000);
});

test('breaks at small requests, or at none, say nothing', () => {
  hungUp(4_095, 4_095, 0, -4);
  expect(limit.isDoubtful).toBe(false);
});

test('what seemed too large is tried again after ten minutes: servers may have been given more', () => {
  hungUp(50_000, 50_000);
  clock.advance(599_999);
  expect(limit.excess(50_000)).not.toBeNull();
  clock.advance(1);
  expect(limit.excess(50_000)).toBeNull();
});
