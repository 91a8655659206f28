import type { IEvent } from 'etcd3';
import type { StoreRecord } from '../source.ts';
import type { Keys } from './keys.ts';
import { isTooMuch, toRecord } from './reader.ts';
import type { Reading } from './reader.ts';

/**
 * What a listing at the last event's revision would give, by a listing at an earlier one and the events between. Events
 * that the listing has in it already are passed over. `null`: they do not follow from what we have, or make more than
 * we take, so list again.
 *
 * @param events of whole transactions, in the order in which the watch told them; one transaction is one revision
 */
export function applyEvents(keys: Keys, tree: Reading, events: readonly IEvent[]): Reading | null {
  const fresh = events.filter(({ kv }) => BigInt(kv.mod_revision) > tree.revision);
  if (fresh.length === 0) return tree;
  // A copy: a snapshot has the one that there is.
  const records = new Map(tree.records);
  // The events' own revision and not the reply's: to a watcher that is catching up etcd tells the store's revision,
  // which is ahead of the events that come with it (etcd: mvcc/watchable_store.go, syncWatchers).
  let { revision, bytes } = tree;
  for (const { type, kv } of fresh) {
    const next = toRecord(keys, kv);
    const before = records.get(next.path);
    if (next.modified < revision || !follows(before, type === 'Delete' ? null : next)) return null;
    revision = next.modified;
    bytes -= before?.bytes.length ?? 0;
    if (type === 'Delete') records.delete(next.path);
    else {
      bytes += next.bytes.length;
      // Memory of its own: a pooled buffer would stay whole for one record, long after its neighbours are gone.
      records.set(next.path, { ...next, bytes: new Uint8Array(next.bytes) });
    }
  }
  return isTooMuch(records.size, bytes) ? null : { revision, records, bytes };
}

/**
 * Whether nothing is known to lie between: a key is made where there was none, changed or deleted where there was one,
 * and keeps its revision of creation as long as it lives. A transaction names a key once (etcd: v3rpc/key.go,
 * checkIntervals), so nothing is made and deleted in one.
 */
function follows(before: StoreRecord | undefined, next: StoreRecord | null): boolean {
  if (next === null) return before !== undefined;
  return next.created === next.modified ? before === undefined : before?.created === next.created;
}
