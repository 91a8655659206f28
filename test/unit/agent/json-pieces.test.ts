import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonPieces } from '../../../src/agent/json-pieces.ts';
import { runs } from '../../fakes/property.ts';

const textOf = (value: unknown): string => [...jsonPieces(value)].join('');

describe('JSON in pieces', () => {
  it('is the text that JSON.stringify gives, for any plain data', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(textOf(value)).toBe(JSON.stringify(value));
      }),
      runs(300),
    );
  });

  it('leaves out members that are undefined, and keeps the place of such items', () => {
    const value = { a: undefined, b: [undefined, 1], c: { d: { e: { f: undefined } } } };
    expect(textOf(value)).toBe(JSON.stringify(value));
  });

  it('writes what is iterable as a list, making its items one by one', () => {
    let made = 0;
    function* items(): Generator<object> {
      for (; made < 3; made++) yield { made };
    }
    const pieces = jsonPieces({ items: items(), pairs: new Map([['a', 1]]) });
    pieces.next();
    expect(made).toBe(0);
    expect([...pieces].join('')).toBe('"items":[{"made":0},{"made":1},{"made":2}],"pairs":[["a",1]]}');
  });

  it('does not put the parts of a service together with another', () => {
    const services = { web: { reals: { a: {}, b: {} } }, mail: { reals: { a: {} } } };
    const longest = Math.max(...Array.from(jsonPieces({ desired: { services } }), (piece) => piece.length));
    expect(longest).toBeLessThanOrEqual(JSON.stringify(services.web).length);
  });
});
