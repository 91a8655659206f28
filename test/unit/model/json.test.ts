import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_RECORD_BYTES, MAX_RECORD_DEPTH, parseRecordJson } from '../../../src/model/json.ts';
import { runs } from '../../fakes/property.ts';

const parse = (text: string | Uint8Array) => parseRecordJson(typeof text === 'string' ? Buffer.from(text) : text);
const found = (text: string | Uint8Array): string => {
  const result = parse(text);
  return result.ok ? 'accepted' : result.error.found;
};

describe('the JSON of a record', () => {
  it('is an object', () => {
    expect(parse('{"a":[1,{"b":"c"}]}')).toEqual({ ok: true, value: { a: [1, { b: 'c' }] } });
    expect(found('[]')).toBe('an array');
    expect(found('null')).toBe('null');
    expect(found('"text"')).toBe('"text"');
    expect(found('7')).toBe('7');
  });

  it.each([
    '',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '{a:1}',
    '// no\n{}',
    '{"a":01}',
    '{"a":NaN}',
    '{} {}',
    '{"a":"\n"}',
    '{"a":"\u0000"}',
  ])('%j is refused', (text) => {
    expect(parse(text).ok).toBe(false);
  });

  it('is no longer than the limit', () => {
    const filler = (length: number) => `{"a":"${'x'.repeat(length - 8)}"}`;
    expect(found(filler(MAX_RECORD_BYTES))).toBe('accepted');
    expect(found(filler(MAX_RECORD_BYTES + 1))).toBe(`${MAX_RECORD_BYTES + 1} bytes`);
  });

  it('is no deeper than the limit, and a bomb of brackets costs nothing', () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
    expect(found(nested(MAX_RECORD_DEPTH))).toBe('accepted');
    expect(found(nested(MAX_RECORD_DEPTH + 1))).toBe(`${MAX_RECORD_DEPTH + 1} levels of nesting`);
    expect(found('['.repeat(MAX_RECORD_BYTES))).toBe(`${MAX_RECORD_BYTES} levels of nesting`);
    // Brackets in a string are no nesting, also behind an escaped quote.
    expect(found(`{"a":"${'['.repeat(99)}","b":"\\"${'{'.repeat(99)}"}`)).toBe('accepted');
  });

  it('is UTF-8 without a byte order mark', () => {
    expect(found(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBe('bytes that are not UTF-8');
    expect(found(Buffer.from('\ufeff{}'))).toBe('a byte order mark');
    expect(found('{"a":"zürich ☃"}')).toBe('accepted');
  });

  it.each([
    ['{"a":1,"a":2}', '"a"'],
    ['{"a":{"b":1,"c":{},"b":2}}', '"b"'],
    ['{"a":[{"b":1},{"b":1,"b":1}]}', '"b"'],
    // The same key, written in two ways.
    ['{"a":1,"\\u0061":2}', '"\\u0061"'],
  ])('%s names the key that is there twice', (text, key) => {
    expect(found(text)).toBe(`the key ${key} twice`);
  });

  it.each([
    ['{"__proto__":{}}', '"__proto__"'],
    ['{"a":{"\\u005f_proto__":1}}', '"\\u005f_proto__"'],
  ])('%s is refused for its key', (text, key) => {
    expect(found(text)).toBe(`the key ${key}`);
  });

  it('takes the same key in different objects', () => {
    expect(found('{"a":{"a":1},"b":[{"a":1},{"a":1}],"c":":a:"}')).toBe('accepted');
  });

  it('gives back whatever JSON.stringify wrote of an object', () => {
    const object = fc
      .dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }))
      .filter((value) => !Object.hasOwn(value, '__proto__'));
    fc.assert(
      fc.property(object, (value) => {
        const text = JSON.stringify(value);
        fc.pre(Buffer.byteLength(text) <= MAX_RECORD_BYTES && !text.includes('__proto__'));
        expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
      }),
      runs(300),
    );
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.string().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(() => parse(bytes)).not.toThrow();
        },
      ),
      runs(500),
    );
  });
});
