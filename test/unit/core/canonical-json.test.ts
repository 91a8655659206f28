import { expect, it } from 'vitest';
import { canonicalJson } from '../../../src/core/canonical-json.ts';

it('sorts the keys of objects, however deep, and leaves lists in their order', () => {
  expect(canonicalJson({ b: [{ d: 1, c: null }, 'z', 'a'], a: { f: true, e: 'x' } })).toBe(
    '{"a":{"e":"x","f":true},"b":[{"c":null,"d":1},"z","a"]}',
  );
});
