import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../../src/model/record-set.ts';
import { RealTable } from '../../../src/model/real-table.ts';
import type { Reals } from '../../../src/model/real-table.ts';
import type { RealRecord } from '../../../src/model/records/real.ts';

type Real = Decoded<RealRecord>;

const real = (name: string): Real => ({
  name,
  path: `config/services/web/reals/${name}`,
  value: { address: '192.0.2.1' } as RealRecord,
  created: 1n,
  modified: 1n,
});

function tableOf(reals: readonly Real[], before: ReadonlyMap<string, Reals> = new Map()): Map<string, Reals> {
  const table = new RealTable(before);
  for (const one of reals) table.add('web', one);
  return table.finish();
}

describe('reals by service', () => {
  it('are the very map of before where nothing changed, and only there', () => {
    const [a, b, c] = [real('a'), real('b'), real('c')];
    const before = tableOf([a, b]);
    const reals = (after: readonly Real[]): Reals | undefined => tableOf(after, before).get('web');
    expect(reals([a, b])).toBe(before.get('web'));
    for (const other of [[a], [b], [a, b, c], [b, a], [c, a, b], [a, real('b')]]) {
      expect(reals(other)).not.toBe(before.get('web'));
      expect([...(reals(other)?.values() ?? [])]).toEqual(other);
    }
    expect([...(before.get('web')?.values() ?? [])]).toEqual([a, b]);
    expect(tableOf([], before).has('web')).toBe(false);
  });

  it('come out as they went in, whatever was there before', () => {
    const pool = Array.from({ length: 6 }, (_, n) => [real(`r${n}`), real(`r${n}`)] as const).flat();
    const some = fc.uniqueArray(fc.constantFrom(...pool), { selector: ({ name }) => name });
    fc.assert(
      fc.property(some, some, (earlier, later) => {
        const before = tableOf(earlier);
        const after = tableOf(later, before).get('web');
        expect([...(after ?? [])]).toEqual(later.map((one) => [one.name, one]));
        // Equal is not enough: the records are those that were added.
        for (const one of later) expect(after?.get(one.name)).toBe(one);
        expect([...(before.get('web')?.values() ?? [])]).toEqual(earlier);
      }),
    );
  });
});
