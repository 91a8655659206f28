import { describe, expect, it } from 'vitest';
import { mergePatch } from '../../../src/model/merge-patch.ts';

describe('merge patch', () => {
  // RFC 7396 appendix A, all of it.
  it.each<[unknown, unknown, unknown]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (target, patch, result) => {
    const before = JSON.stringify([target, patch]);
    expect(mergePatch(target, patch)).toEqual(result);
    expect(JSON.stringify([target, patch])).toBe(before);
  });

  it('takes names that objects have by themselves for names', () => {
    const merged = mergePatch({}, { constructor: { a: 1 }, toString: null });
    expect(Object.entries(merged as object)).toEqual([['constructor', { a: 1 }]]);
  });

  it('gives nobody another prototype', () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}')) as Record<string, unknown>;
    expect(merged['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('shares nothing with the patch', () => {
    const patch = { list: [{ a: 1 }], object: { a: { b: 1 } } };
    const merged = mergePatch({}, patch) as typeof patch;
    expect(merged).toEqual(patch);
    expect(merged.list[0]).not.toBe(patch.list[0]);
    expect(merged.object.a).not.toBe(patch.object.a);
  });
});
