import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangeLog } from '../../../src/checks/change-log.ts';
import { runs } from '../../fakes/property.ts';

describe('a log of changes', () => {
  it('tells what changed since any mark, or that it cannot be told', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 700 }), { minLength: 1, maxLength: 12 }), (bursts) => {
        const log = new ChangeLog();
        const all: string[] = [];
        const marks: number[] = [];
        for (const burst of bursts) {
          marks.push(log.changes(null).mark);
          for (let one = 0; one < burst; one++) {
            all.push(`key ${all.length % 900}`);
            log.note(`key ${(all.length - 1) % 900}`);
          }
        }
        for (const mark of marks) {
          const known = log.changes(mark).keys;
          if (known !== null) expect(known).toEqual(new Set(all.slice(mark)));
          // At least the last thousand are remembered, and memory is bounded.
          expect(known !== null || all.length - mark > 1_000).toBe(true);
          expect(known === null || all.length - mark <= 2_000).toBe(true);
        }
        expect(log.changes(null).keys).toBeNull();
        expect(log.changes(log.changes(null).mark).keys).toEqual(new Set());
      }),
      runs(30),
    );
  });
});
