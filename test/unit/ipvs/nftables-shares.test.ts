import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sharingRule, turns } from '../../../src/ipvs/nftables/shares.ts';
import type { Share } from '../../../src/ipvs/nftables/shares.ts';
import { service, WEB, WEB6 } from '../../contract/dataplane-samples.ts';
import { runs } from '../../fakes/property.ts';

const shares = (...weights: readonly number[]): Share[] =>
  weights.map((weight, index) => ({ chain: 'abcdefgh'[index] ?? `r${index}`, weight }));

const rule = (scheduler: string, ...weights: readonly number[]): string | null =>
  sharingRule(service(WEB, { scheduler }), shares(...weights));

describe('the rule that shares out new connections', () => {
  it.each([
    ['nothing to nobody', 'wrr', [], null],
    ['all to the only one', 'wrr', [7], 'goto a'],
    ['by turns, whatever the weights', 'rr', [3, 1], 'numgen inc mod 2 vmap { 0 : goto a, 1 : goto b }'],
    ['lc as rr', 'lc', [3, 1], 'numgen inc mod 2 vmap { 0 : goto a, 1 : goto b }'],
    ['by weight, mixed', 'wrr', [3, 1], 'numgen inc mod 4 vmap { 0 : goto a, 1 : goto a, 2 : goto b, 3 : goto a }'],
    [
      'wlc as wrr, in smallest numbers',
      'wlc',
      [200, 100],
      'numgen inc mod 3 vmap { 0 : goto a, 1 : goto b, 2 : goto a }',
    ],
    [
      'by chance where turns are many',
      'wrr',
      [100, 99],
      'numgen random mod 199 vmap { 0-99 : goto a, 100-198 : goto b }',
    ],
    ['to the heaviest, the first of equals', 'fo', [1, 5, 5], 'goto b'],
    ['by the address of the client', 'sh', [2, 1], 'jhash ip saddr mod 3 seed 1 vmap { 0-1 : goto a, 2 : goto b }'],
  ])('%s', (_, scheduler, weights, expected) => {
    expect(rule(scheduler, ...weights)).toBe(expected);
  });

  it('hashes the port as well where the flag says so, for both families', () => {
    expect(sharingRule(service(WEB6, { scheduler: 'sh', schedulerFlags: 2 }), shares(1, 1))).toBe(
      'jhash ip6 saddr . th sport mod 2 seed 1 vmap { 0 : goto a, 1 : goto b }',
    );
  });

  it('keeps the proportions of weights that no register holds', () => {
    const text = rule('wrr', 2_147_483_647, 2_147_483_646, 1) ?? '';
    expect(text).toMatch(
      /^numgen random mod 214748364[0-7] vmap \{ 0-1073741\d{3} : goto a, .* : goto b, \d+ : goto c \}$/,
    );
  });

  it('gives everyone its turns, and nobody all of them in a row', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(weights, (given) => {
        const all = turns(shares(...given));
        const total = given.reduce((sum, weight) => sum + weight, 0);
        expect(all).toHaveLength(total);
        for (const [index, share] of shares(...given).entries()) {
          const own = all.flatMap(({ chain }, turn) => (chain === share.chain ? [turn] : []));
          expect(own).toHaveLength(given[index] ?? 0);
          // After any number of turns nobody is more than one short of, or ahead of, its part for each other.
          own.forEach((turn, count) => {
            expect(Math.abs((turn * share.weight) / total - count)).toBeLessThan(given.length);
          });
        }
      }),
      runs(100),
    );
  });

  it('covers every number that may come up, once', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 2_147_483_647 }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(weights, fc.constantFrom('wrr', 'rr', 'sh'), (given, scheduler) => {
        const [, modulus, elements = ''] = / mod (\d+) .*vmap \{ (.*) \}$/.exec(rule(scheduler, ...given) ?? '') ?? [];
        const ranges = elements.split(', ').map((element) => {
          const [first = '', last = first] = element.split(' : ')[0]?.split('-') ?? [];
          return [Number(first), Number(last)] as const;
        });
        let next = 0;
        for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
          expect(first).toBe(next);
          next = last + 1;
        }
        expect(next).toBe(Number(modulus));
        expect(next).toBeLessThan(2 ** 32);
      }),
      runs(100),
    );
  });
});
