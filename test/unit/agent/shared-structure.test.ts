import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareStructure } from '../../../src/agent/policy/shared-structure.ts';
import { runs } from '../../fakes/property.ts';

const copied = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('shared structure', () => {
  it('keeps what an edit did not touch, as the very same objects', () => {
    const before = { services: { a: { reals: [{ weight: 1 }, { weight: 2 }] }, b: { reals: [{ weight: 3 }] } } };
    const edited = copied(before);
    const second = edited.services.a.reals[1];
    if (second !== undefined) second.weight = 9;
    const after = shareStructure(before, edited);
    expect(after).toEqual(edited);
    expect(after.services.b).toBe(before.services.b);
    expect(after.services.a).not.toBe(before.services.a);
    expect(after.services.a.reals[0]).toBe(before.services.a.reals[0]);
  });

  it('is what was before if nothing changed, and tells an array from an object with its keys', () => {
    const before = { a: [1, { b: null }], constructor: 'x' };
    expect(shareStructure(before, copied(before))).toBe(before);
    expect(shareStructure({ a: ['x'] }, { a: { 0: 'x' } })).toEqual({ a: { 0: 'x' } });
    expect(Object.keys(shareStructure({ a: 1, b: 2 }, { b: 2, a: 1 }))).toEqual(['b', 'a']);
  });

  it('always equals what it was given', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(value, value, (before, after) => {
        expect(JSON.stringify(shareStructure(before, after))).toBe(JSON.stringify(after));
        expect(JSON.stringify(shareStructure(after, copied(after)))).toBe(JSON.stringify(after));
      }),
      runs(300),
    );
  });
});
