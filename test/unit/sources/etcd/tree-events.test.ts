import type { IEvent } from 'etcd3';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Keys } from '../../../../src/sources/etcd/keys.ts';
import type { Reading } from '../../../../src/sources/etcd/reader.ts';
import { applyEvents } from '../../../../src/sources/etcd/tree-events.ts';
import { ModelEtcd, deletion, transactions } from '../../../fakes/model-etcd.ts';
import { runs } from '../../../fakes/property.ts';

const KEYS = new Keys('/vipkeeper');

/** As text, so that two kinds of byte array compare. */
function plain(tree: Reading | null): unknown {
  if (tree === null) return null;
  const { revision, bytes, records } = tree;
  const sorted = [...records.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { revision, bytes, records: sorted.map((each) => ({ ...each, bytes: Buffer.from(each.bytes).toString() })) };
}

describe('applying what a watch told', () => {
  test('gives what a listing at the last revision would, from whichever listing and however it is cut', () => {
    const cuts = fc.array(fc.nat(40), { maxLength: 6 });
    fc.assert(
      fc.property(transactions(40), fc.nat(40), fc.nat(40), cuts, (history, listed, watched, at) => {
        const etcd = new ModelEtcd();
        for (const each of history) etcd.commit(each);
        const from = listed % (history.length + 1);
        let tree: Reading | null = etcd.listing(KEYS, etcd.revisionAfter(from));
        // The watch begins no later than behind the listing, so some of what it tells is old.
        const told = history.slice(Math.min(watched, from)).map((_, n) => Math.min(watched, from) + n + 1);
        const ends = [...at.map((each) => each % (told.length + 1)), told.length].sort((a, b) => a - b);
        let done = 0;
        for (const end of ends) {
          const events = told.slice(done, end).flatMap((n) => etcd.eventsOf(etcd.revisionAfter(n)));
          done = end;
          tree = tree === null ? null : applyEvents(KEYS, tree, events);
          expect(plain(tree)).toEqual(plain(etcd.listing(KEYS, tree?.revision ?? -1n)));
        }
        const changed = told.filter((n) => n > from && etcd.eventsOf(etcd.revisionAfter(n)).length > 0).at(-1);
        expect(tree?.revision).toBe(etcd.revisionAfter(changed ?? from));
      }),
      runs(300),
    );
  });

  const history = (): ModelEtcd => {
    const etcd = new ModelEtcd();
    etcd.commit([{ put: 'vips/a', text: '1' }]);
    etcd.commit([{ put: 'vips/b', text: '1' }]);
    etcd.commit([{ put: 'vips/a', text: '2' }]);
    etcd.commit([{ from: 'vips/a', to: 'vips/a' }]);
    etcd.commit([{ put: 'vips/a', text: '3' }]);
    return etcd;
  };
  const after = (etcd: ModelEtcd, listed: number, events: readonly IEvent[]): Reading | null =>
    applyEvents(KEYS, etcd.listing(KEYS, etcd.revisionAfter(listed)), events);
  const told = (etcd: ModelEtcd, ...steps: number[]): IEvent[] =>
    steps.flatMap((n) => etcd.eventsOf(etcd.revisionAfter(n)));

  test.each<[string, number, number[]]>([
    ['a change of what it does not have', 0, [3]],
    ['a deletion of what it does not have', 0, [4]],
    ['a creation of what it has', 3, [5]],
    ['events that go back', 0, [2, 1]],
  ])('lists again at %s', (_what, listed, steps) => {
    const etcd = history();
    expect(after(etcd, listed, told(etcd, ...steps))).toBeNull();
  });

  test('lists again when a key was made anew in between', () => {
    const etcd = history();
    etcd.commit([{ put: 'vips/a', text: '4' }]);
    expect(after(etcd, 3, told(etcd, 6))).toBeNull();
  });

  test('leaves the listing as it was, and gives the very same when nothing is new', () => {
    const etcd = history();
    const tree = etcd.listing(KEYS, etcd.revisionAfter(2));
    const before = plain(tree);
    const next = applyEvents(KEYS, tree, told(etcd, 3));
    expect(plain(tree)).toEqual(before);
    expect(next).not.toBe(tree);
    // What did not change is the same object, so the decoder need not look at it.
    expect(next?.records.get('config/vips/b')).toBe(tree.records.get('config/vips/b'));
    expect(applyEvents(KEYS, tree, told(etcd, 1, 2))).toBe(tree);
  });

  test('keeps none of the memory in which an event came', () => {
    const etcd = history();
    const next = after(etcd, 0, told(etcd, 1));
    expect(next?.records.get('config/vips/a')?.bytes.buffer.byteLength).toBe(1);
  });

  test('is given up where a listing would be: more records than we take', () => {
    const etcd = history();
    const tree = etcd.listing(KEYS, etcd.revisionAfter(2));
    const full = { ...tree, bytes: 256 * 1024 * 1024 };
    expect(applyEvents(KEYS, full, told(etcd, 3))).not.toBeNull();
    const grows = told(etcd, 3).map((event) => ({ ...event, kv: { ...event.kv, value: Buffer.from('22') } }));
    expect(applyEvents(KEYS, full, grows)).toBeNull();
    expect(applyEvents(KEYS, full, [deletion('/vipkeeper/config/vips/a', 9n)])).not.toBeNull();
  });
});
