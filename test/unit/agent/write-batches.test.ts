import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeBatches } from '../../../src/agent/policy/write-batches.ts';
import { writeCost } from '../../../src/sources/source.ts';
import type { WriteLimits, WriteOp } from '../../../src/sources/source.ts';
import { runs } from '../../fakes/property.ts';

const put = (path: string, size = 2): WriteOp => ({ kind: 'put', path, bytes: Buffer.alloc(size, 0x20) });
const remove = (path: string): WriteOp => ({ kind: 'delete', path });
const NO_LIMITS: WriteLimits = { atomic: true, operations: Infinity, bytes: Infinity };

describe('the writes of a large change', () => {
  it('are one where the store takes it', () => {
    const ops = [put('config/services/web'), remove('config/vips/old'), put('config/vips/web')];
    expect(writeBatches(ops, NO_LIMITS)).toHaveLength(1);
    expect(writeBatches([], NO_LIMITS)).toEqual([]);
  });

  it('put what is referred to first, and delete it last', () => {
    const ops = [
      remove('config/checks/old'),
      put('config/services/web/reals/a'),
      remove('config/services/old'),
      put('config/services/web'),
      put('config/agents/lb1'),
      remove('config/services/old/reals/a'),
      put('config/vips/web'),
      remove('config/vips/old'),
      put('config/checks/ok'),
    ];
    const batches = writeBatches(ops, { ...NO_LIMITS, operations: 2 });
    expect(batches.map((batch) => batch.map(({ kind, path }) => `${kind} ${path.replace('config/', '')}`))).toEqual([
      ['put checks/ok', 'put vips/web'],
      ['put agents/lb1', 'put services/web'],
      ['put services/web/reals/a', 'delete services/old/reals/a'],
      ['delete services/old', 'delete vips/old'],
      ['delete checks/old'],
    ]);
  });

  it('hold every operation once, within the limits, in the same order as one write would', () => {
    const path = fc.constantFrom('checks', 'vips', 'agents', 'services').chain((kind) => {
      return fc.integer({ min: 0, max: 40 }).map((n) => `config/${kind}/n${n}`);
    });
    const op = fc.tuple(path, fc.boolean(), fc.integer({ min: 1, max: 400 })).map(([at, isPut, size]) => {
      return isPut ? put(at, size) : remove(at);
    });
    const ops = fc.uniqueArray(op, { selector: (one) => one.path, maxLength: 60 });
    const limits = fc.record({
      operations: fc.integer({ min: 1, max: 20 }),
      bytes: fc.integer({ min: 600, max: 4_000 }),
    });
    fc.assert(
      fc.property(ops, limits, (all, { operations, bytes }) => {
        const batches = writeBatches(all, { atomic: true, operations, bytes });
        expect(batches.flat()).toEqual(writeBatches(all, NO_LIMITS).flat());
        expect(new Set(batches.flat())).toEqual(new Set(all));
        for (const batch of batches) {
          expect(batch.length).toBeLessThanOrEqual(operations);
          const cost = batch.reduce((sum, one) => sum + writeCost(one), 0);
          expect(cost).toBeLessThanOrEqual(bytes);
        }
      }),
      runs(200),
    );
  });
});
