import type { IEvent, IKeyValue } from 'etcd3';
import fc from 'fast-check';
import type { Keys } from '../../src/sources/etcd/keys.ts';
import type { Reading } from '../../src/sources/etcd/reader.ts';

/** Paths are relative to `config/`. A deletion takes every key from `from` up to `to`, both included. */
export type ModelOp = { readonly put: string; readonly text: string } | { readonly from: string; readonly to: string };

interface Entry {
  readonly text: string;
  readonly created: bigint;
  readonly modified: bigint;
  readonly version: number;
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Histories of up to so many transactions among a few keys, so that keys are made, changed and made again often. */
export function transactions(maxLength: number): fc.Arbitrary<ModelOp[][]> {
  const name = fc.constantFrom(...NAMES);
  const put = fc.record({ put: name, text: fc.constantFrom('', '{}', '{"weight":1}', '{"weight":100}') });
  const remove = fc.tuple(name, name).map(([one, other]) => ({
    from: one < other ? one : other,
    to: one < other ? other : one,
  }));
  const op = fc.oneof({ weight: 3, arbitrary: put }, { weight: 1, arbitrary: remove });
  return fc.array(fc.array(op, { minLength: 1, maxLength: 5 }), { maxLength });
}

/**
 * The rules of etcd's store, for one range of keys (etcd: Documentation, data_model; mvcc/kvstore_txn.go): a
 * transaction is one revision, also one that changes nothing here; it names each key once; a key that is made anew has
 * a new revision of creation and version 1; the event of a deletion has the key and its revision, and nothing else.
 */
export class ModelEtcd {
  /** By revision; the first is that of the empty store. */
  readonly #states = new Map<bigint, ReadonlyMap<string, Entry>>([[1n, new Map()]]);
  readonly #events = new Map<bigint, readonly IEvent[]>();
  #revision = 1n;

  get revision(): bigint {
    return this.#revision;
  }

  /** That of the transaction with this number, from 1. */
  revisionAfter(transactions: number): bigint {
    return BigInt(1 + transactions);
  }

  /** Operations on keys that an earlier one of the same transaction names are left out: etcd would refuse them all. */
  commit(ops: readonly ModelOp[]): void {
    const state = new Map(this.#states.get(this.#revision));
    const revision = ++this.#revision;
    const named = new Set<string>();
    const events: IEvent[] = [];
    for (const op of ops) {
      if ('put' in op) {
        if (named.has(op.put)) continue;
        named.add(op.put);
        const before = state.get(op.put);
        const { created, version } = before ?? { created: revision, version: 0 };
        const entry = { text: op.text, created, modified: revision, version: version + 1 };
        state.set(op.put, entry);
        events.push({ type: 'Put', kv: keyValue(op.put, entry), prev_kv: NOTHING });
        continue;
      }
      const taken = [...state.keys()].filter((key) => key >= op.from && key <= op.to);
      if (taken.some((key) => named.has(key))) continue;
      for (const key of taken) {
        named.add(key);
        state.delete(key);
        events.push(deletion(`/vipkeeper/config/${key}`, revision));
      }
    }
    this.#states.set(revision, state);
    this.#events.set(revision, events);
  }

  eventsOf(revision: bigint): readonly IEvent[] {
    return this.#events.get(revision) ?? [];
  }

  keyValues(revision: bigint): IKeyValue[] {
    const state = [...(this.#states.get(revision) ?? [])];
    return state.sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, entry]) => keyValue(key, entry));
  }

  listing(keys: Keys, revision: bigint): Reading {
    const records = this.keyValues(revision).map((kv) => {
      const created = BigInt(kv.create_revision);
      return { path: keys.path(kv.key), bytes: kv.value, created, modified: BigInt(kv.mod_revision) };
    });
    const bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    return { revision, bytes, records: new Map(records.map((record) => [record.path, record])) };
  }
}

const NOTHING: IKeyValue = {
  key: Buffer.alloc(0),
  create_revision: '0',
  mod_revision: '0',
  version: '0',
  value: Buffer.alloc(0),
  lease: '0',
};

/** As etcd tells it: nothing is left of the key but its name and when it went. */
export function deletion(key: string, revision: bigint): IEvent {
  return {
    type: 'Delete',
    kv: { ...NOTHING, key: Buffer.from(key), mod_revision: String(revision) },
    prev_kv: NOTHING,
  };
}

function keyValue(path: string, { text, created, modified, version }: Entry): IKeyValue {
  return {
    key: Buffer.from(`/vipkeeper/config/${path}`),
    create_revision: String(created),
    mod_revision: String(modified),
    version: String(version),
    value: Buffer.from(text),
    lease: '0',
  };
}
