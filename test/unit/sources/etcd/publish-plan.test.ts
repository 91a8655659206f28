import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batches, judge, planOps } from '../../../../src/sources/etcd/publish-plan.ts';
import type { PublishOp } from '../../../../src/sources/etcd/publish-plan.ts';
import { runs } from '../../../fakes/property.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const OURS = '7587869';

describe('what is to be done', () => {
  test.each<[string, Record<string, string>, Record<string, string | null>, string[]]>([
    ['nothing held: all is put where there must be nothing yet', { a: '1' }, {}, ['put a if absent']],
    ['equal: nothing', { a: '1' }, { a: '1' }, []],
    ['changed: put under our lease', { a: '2' }, { a: '1' }, ['put a if ours']],
    ['outcome unknown: put again', { a: '1' }, { a: null }, ['put a if ours']],
    ['no longer wanted: deleted', {}, { a: '1', b: null }, ['delete a if ours', 'delete b if ours']],
  ])('%s', (_name, wanted, held, expected) => {
    const ops = planOps(
      new Map(Object.entries(wanted).map(([path, text]) => [path, bytes(text)])),
      new Map(Object.entries(held).map(([path, text]) => [path, text === null ? null : bytes(text)])),
      OURS,
    );
    const said = ops.map((op) => {
      const condition = op.expectedLease === null ? 'absent' : op.expectedLease === OURS ? 'ours' : op.expectedLease;
      return `${op.bytes === null ? 'delete' : 'put'} ${op.path} if ${condition}`;
    });
    expect(said).toEqual(expected);
  });
});

describe('what another lease than expected means', () => {
  const put: PublishOp = { path: 'a', bytes: bytes('1'), expectedLease: null };
  const remove: PublishOp = { path: 'a', bytes: null, expectedLease: OURS };
  const adopted = (lease: string): boolean => lease === '11';

  test.each<[string, PublishOp, string | null, string]>([
    ['a put that went through unseen', put, OURS, `retry if ${OURS}`],
    ['a put over a session that was ours', put, '11', 'retry if 11'],
    ['a put over a record that has gone', { ...put, expectedLease: OURS }, null, 'retry if null'],
    ['a put over a stranger', put, '12', 'refused'],
    ['a put over a key without a lease', put, '0', 'refused'],
    ['a deletion of what has gone', remove, null, 'done'],
    ['a deletion of what a stranger took', remove, '12', 'done'],
    ['a deletion of what an adopted session holds', remove, '11', 'done'],
    ['a deletion that must be tried again', remove, OURS, `retry if ${OURS}`],
  ])('%s', (_name, op, found, expected) => {
    const verdict = judge(op, found, OURS, adopted);
    expect(verdict.kind === 'retry' ? `retry if ${verdict.op.expectedLease}` : verdict.kind).toBe(expected);
  });
});

test('small records fill batches up to what is allowed, which is less than the 128 operations that etcd takes', () => {
  const ops = Array.from({ length: 260 }, (_, n) => ({ path: `r${n}`, bytes: bytes('{}'), expectedLease: null }));
  expect(batches(ops).map((batch) => batch.length)).toEqual([100, 100, 60]);
});

test('batches keep every operation in order, within what etcd takes', () => {
  const op = fc.record({
    path: fc.string({ minLength: 1, maxLength: 40 }),
    bytes: fc.option(fc.integer({ min: 0, max: 400_000 }).map((size) => new Uint8Array(size))),
    expectedLease: fc.constant(null),
  });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 260 }), (ops) => {
      const cut = batches(ops);
      expect(cut.flat()).toEqual(ops);
      for (const batch of cut) {
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(100);
        const size = batch.reduce((sum, each) => sum + (each.bytes?.length ?? 0), 0);
        // 1.5 MiB is the server's limit on a request; our own leaves room for keys and framing.
        expect(batch.length === 1 || size <= 1024 * 1024).toBe(true);
      }
    }),
    runs(50),
  );
});
