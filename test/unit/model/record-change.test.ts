import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonDifferences } from '../../../src/model/json-difference.ts';
import { recordChanges, withEdits } from '../../../src/model/record-change.ts';
import { runs } from '../../fakes/property.ts';
import { rawRecords } from '../../fakes/records.ts';

describe('the difference of two JSON values', () => {
  it('names the fields, dotted, and takes lists as a whole', () => {
    const before = { a: 1, gone: true, health: { floor: 0.5, rise: 2 }, ports: ['80'], same: [{ x: 1 }] };
    const after = { same: [{ x: 1 }], health: { rise: 2, floor: 0.25 }, ports: ['80', '81'], a: 1, fresh: null };
    expect(jsonDifferences(before, after)).toEqual([
      { field: 'gone', before: true, after: undefined },
      { field: 'health.floor', before: 0.5, after: 0.25 },
      { field: 'ports', before: ['80'], after: ['80', '81'] },
      { field: 'fresh', before: undefined, after: null },
    ]);
  });

  it('knows null, a list and an object apart, and no inherited fields', () => {
    expect(jsonDifferences({ a: null }, { a: {} })).toHaveLength(1);
    expect(jsonDifferences({ a: [] }, { a: {} })).toHaveLength(1);
    expect(jsonDifferences({}, { constructor: 1 })).toEqual([{ field: 'constructor', before: undefined, after: 1 }]);
  });

  it('is none for what is equal, and some for what is not', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(jsonDifferences(one, JSON.parse(JSON.stringify(one)))).toEqual([]);
        const equal = canonical(one) === canonical(other);
        expect(jsonDifferences(one, other).length === 0).toBe(equal);
      }),
      runs(300),
    );
  });
});

/** Text with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

describe('the difference of two sets of records', () => {
  it('is what was added, edited and deleted; layout and folders are nothing', () => {
    const before = rawRecords({ 'vips/a': '{"x":1}', 'vips/b': '{"x":1}', 'vips/c': '{}', 'vips/d': 'bad', vips: '' });
    const after = rawRecords({
      'vips/a': '{ "x" : 1 }\n',
      'vips/b': '{"x":2}',
      'vips/d': 'bad ',
      'vips/e': '{}',
      checks: '',
    });
    expect(recordChanges(before, after)).toMatchObject([
      { kind: 'edit', path: 'config/vips/b', fields: [{ field: 'x', before: 1, after: 2 }] },
      { kind: 'delete', path: 'config/vips/c' },
      { kind: 'edit', path: 'config/vips/d', fields: null },
      { kind: 'add', path: 'config/vips/e' },
    ]);
  });

  it('is empty after edits that are the difference', () => {
    const content = fc.dictionary(
      fc.constantFrom('vips/a', 'vips/b', 'checks/c', 'agents/d'),
      fc.object({ maxDepth: 1 }),
    );
    fc.assert(
      fc.property(content, content, (one, other) => {
        const [before, after] = [rawRecords(one), rawRecords(other)];
        const values = recordChanges(before, after).map((change): [string, Uint8Array | null] => {
          return [change.path, change.kind === 'delete' ? null : change.after.bytes];
        });
        const reached = withEdits(before, new Map(values));
        expect(recordChanges(reached, after)).toEqual([]);
        expect([...reached.keys()].sort()).toEqual([...after.keys()].sort());
      }),
      runs(200),
    );
  });

  it('keeps the age of what is replaced, and makes what is new the youngest', () => {
    const before = rawRecords({ 'vips/a': {}, 'vips/b': {} }, { 'vips/a': 7, 'vips/b': 9 });
    const value = Buffer.from('{}');
    const after = withEdits(
      before,
      new Map([
        ['config/vips/a', value],
        ['config/vips/c', value],
        ['config/vips/b', null],
      ]),
    );
    expect([...after.values()].map(({ path, created, modified }) => [path, created, modified])).toEqual([
      ['config/vips/a', 7n, 10n],
      ['config/vips/c', 10n, 10n],
    ]);
  });
});
