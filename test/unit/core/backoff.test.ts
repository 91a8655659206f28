import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../src/core/backoff.ts';
import { RETRY_PACE } from '../../../src/sources/retry-pace.ts';

const OPTIONS = { firstMs: 50, maxMs: 500, factor: 2, jitter: 0 };

const take = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next());

describe('a backoff', () => {
  it('grows by its factor up to its limit, and begins again after a success', () => {
    const backoff = new Backoff(OPTIONS, () => 0.9);
    expect(take(backoff, 6)).toEqual([50, 100, 200, 400, 500, 500]);
    backoff.reset();
    expect(take(backoff, 2)).toEqual([50, 100]);
  });

  it('takes off at most the share that is left to chance', () => {
    const draws = [0, 0.5, 1];
    const backoff = new Backoff({ ...OPTIONS, factor: 1, jitter: 0.5 }, () => draws.shift() ?? 0);
    expect(take(backoff, 3)).toEqual([50, 37.5, 25]);
  });
});

describe('the pace of attempts to reach the store', () => {
  it.each([0, 0.5, 1])('finds a store that is back within a second, whatever chance says: %d', (chance) => {
    expect(Math.max(...take(new Backoff(RETRY_PACE, () => chance), 100))).toBeLessThan(1_000);
  });

  it('does not bring a fleet back all at once', () => {
    const [early = 0, late = 0] = [1, 0].map((chance) => Math.max(...take(new Backoff(RETRY_PACE, () => chance), 100)));
    expect(late - early).toBeGreaterThanOrEqual(200);
  });
});
