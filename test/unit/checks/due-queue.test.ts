import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Due } from '../../../src/checks/due-queue.ts';
import { DueQueue } from '../../../src/checks/due-queue.ts';
import { runs } from '../../fakes/property.ts';

const operations = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('push' as const), dueAt: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('remove' as const), which: fc.nat(1_000) }),
  ),
  { maxLength: 200 },
);

it('gives the earliest first, whatever was put in and taken out before', () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const queue = new DueQueue<Due>();
      const model: Due[] = [];
      const forget = (item: Due): void => void model.splice(model.indexOf(item), 1);
      for (const step of steps) {
        if (step.kind === 'push') {
          const item = { dueAt: step.dueAt, slot: -1 };
          queue.push(item);
          model.push(item);
        } else {
          const item = step.kind === 'take' ? queue.first() : model[step.which % Math.max(1, model.length)];
          if (item === undefined) continue;
          queue.remove(item);
          forget(item);
          expect(item.slot).toBe(-1);
        }
        expect(queue.size).toBe(model.length);
        expect(queue.first()?.dueAt).toBe(
          model.length === 0 ? undefined : Math.min(...model.map(({ dueAt }) => dueAt)),
        );
      }
    }),
    runs(500),
  );
});

it('refuses an item that is queued already and ignores one that is not', () => {
  const queue = new DueQueue<Due>();
  const item = { dueAt: 1, slot: -1 };
  queue.remove(item);
  queue.push(item);
  expect(() => queue.push(item)).toThrow(RangeError);
  expect(queue.size).toBe(1);
});
