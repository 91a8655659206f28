import type { IRangeResponse } from 'etcd3';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { CodedError } from '../../../../src/core/errors.ts';
import { err, ok } from '../../../../src/core/result.ts';
import type { Result } from '../../../../src/core/result.ts';
import { ConfigTree } from '../../../../src/sources/etcd/config-tree.ts';
import { Keys } from '../../../../src/sources/etcd/keys.ts';
import type { Reading } from '../../../../src/sources/etcd/reader.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { ModelEtcd, transactions } from '../../../fakes/model-etcd.ts';
import { runs } from '../../../fakes/property.ts';

const KEYS = new Keys('/vipkeeper');

/** A member with a watch that may lag: what was committed is told when the test says so. */
class Member {
  readonly etcd = new ModelEtcd();
  readonly clock = new ManualClock();
  pokes = 0;
  listings = 0;
  failure: CodedError | null = null;
  /** Happens while a listing is on its way back. */
  meanwhile: () => void = () => undefined;
  readonly tree: ConfigTree;
  #told = 1n;

  constructor(rereadEveryMs = 300_000) {
    const onStale = (): number => (this.pokes += 1);
    this.tree = new ConfigTree(KEYS, { clock: this.clock, random: () => 0, rereadEveryMs, onStale });
  }

  readonly link = {
    range: (): Promise<Result<IRangeResponse, CodedError>> => {
      this.listings += 1;
      if (this.failure !== null) return Promise.resolve(err(this.failure));
      const header = { cluster_id: '1', member_id: '1', revision: String(this.etcd.revision), raft_term: '1' };
      const kvs = this.etcd.keyValues(this.etcd.revision);
      this.meanwhile();
      return Promise.resolve(ok({ header, kvs, more: false, count: String(kvs.length) }));
    },
  };

  /** Tells up to so many transactions in one reply, which is split into pieces of so many events. */
  *tell(transactions: number, piece: number): Generator<void> {
    const until = this.#told + BigInt(transactions);
    const end = until < this.etcd.revision ? until : this.etcd.revision;
    const events = [];
    while (this.#told < end) events.push(...this.etcd.eventsOf(++this.#told));
    for (let at = 0; at < events.length; at += piece) {
      this.tree.note(events.slice(at, at + piece), at + piece < events.length);
      yield;
    }
  }

  /** The watch is lost with all that it had to tell, and stands anew. */
  restart(): void {
    this.#told = this.etcd.revision;
    this.tree.forget();
  }

  async read(): Promise<Reading> {
    const reading = await this.tree.read(this.link);
    if (!reading.ok) throw reading.error;
    return reading.value;
  }
}

function texts(reading: Reading): Map<string, string> {
  return new Map(
    [...reading.records.values()]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, bytes, created, modified }) => [path, `${Buffer.from(bytes).toString()} ${created} ${modified}`]),
  );
}

let member: Member;
beforeEach(() => {
  member = new Member();
});

describe('the tree that the watch keeps true', () => {
  test('is at every reading what the store was at exactly one revision, and never goes back', async () => {
    const step = fc.record({
      ops: fc.option(transactions(3)),
      told: fc.nat(3),
      piece: fc.integer({ min: 1, max: 4 }),
      /** After which pieces somebody reads. */
      reads: fc.array(fc.boolean(), { maxLength: 5 }),
      restart: fc.integer({ min: 0, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const one = new Member();
        let last = 0n;
        let restarts = 0;
        const look = async (): Promise<void> => {
          const reading = await one.read();
          expect(texts(reading)).toEqual(texts(one.etcd.listing(KEYS, reading.revision)));
          expect(reading.revision).toBeGreaterThanOrEqual(last);
          last = reading.revision;
        };
        await look();
        for (const { ops, told, piece, reads, restart } of steps) {
          for (const each of ops ?? []) one.etcd.commit(each);
          let pieces = 0;
          for (const _ of one.tell(told, piece)) if (reads[pieces++] === true) await look();
          if (restart === 0) {
            one.restart();
            restarts += 1;
          }
        }
        for (const _ of one.tell(100, 100)) await look();
        expect(texts(await one.read())).toEqual(texts(one.etcd.listing(KEYS, one.etcd.revision)));
        expect(one.listings).toBeLessThanOrEqual(1 + restarts);
      }),
      runs(200),
    );
  });

  const commit = (name: string, text: string): void => member.etcd.commit([{ put: name, text }]);
  const tellAll = (): void => {
    for (const _ of member.tell(100, 100));
  };
  const find = (reading: Reading, name: string): string =>
    Buffer.from(reading.records.get(`config/${name}`)?.bytes ?? []).toString();

  test('is listed once, and then no more', async () => {
    await member.read();
    for (let n = 1; n <= 5; n++) {
      commit('a', String(n));
      tellAll();
      expect(find(await member.read(), 'a')).toBe(String(n));
    }
    expect(member.listings).toBe(1);
  });

  test('has the whole of a transaction or nothing of it', async () => {
    commit('a', '0');
    tellAll();
    const before = await member.read();
    member.etcd.commit(['a', 'b', 'c'].map((put) => ({ put, text: '1' })));
    const pieces = member.tell(1, 1);
    pieces.next();
    expect(await member.read()).toBe(before);
    pieces.next();
    expect(await member.read()).toBe(before);
    pieces.next();
    expect([...texts(await member.read()).keys()]).toEqual(['config/a', 'config/b', 'config/c']);
    expect(member.listings).toBe(1);
  });

  test('is not taken from a listing during which something went untold', async () => {
    member.meanwhile = () => {
      member.meanwhile = () => undefined;
      commit('a', '1');
      member.restart();
    };
    expect(find(await member.read(), 'a')).toBe('');
    expect(find(await member.read(), 'a')).toBe('1');
    expect(member.listings).toBe(2);
  });

  test('is not taken from the older of two listings, whose events the newer has used up', async () => {
    const readings: Promise<Reading>[] = [];
    member.meanwhile = () => {
      member.meanwhile = () => undefined;
      commit('a', '1');
      tellAll();
      readings.push(member.read());
    };
    expect(find(await member.read(), 'a')).toBe('1');
    expect(find(await member.read(), 'a')).toBe('1');
    for (const each of readings) expect(find(await each, 'a')).toBe('1');
    expect(member.listings).toBe(2);
  });

  test('has in it what was told while it was listed', async () => {
    member.meanwhile = () => {
      commit('a', '1');
      tellAll();
    };
    expect(find(await member.read(), 'a')).toBe('1');
    expect(member.listings).toBe(1);
  });

  test('is listed again when events do not follow, and when they are too many to remember', async () => {
    await member.read();
    commit('a', '1');
    // Lost on its way.
    for (const _ of member.tell(1, 9)) member.tree.forget();
    await member.read();
    commit('b', '1');
    member.tree.note(member.etcd.eventsOf(3n), false);
    member.tree.note(member.etcd.eventsOf(3n), false);
    await member.read();
    expect(member.listings).toBe(3);
    for (let n = 1; n <= 50_001; n++) member.tree.note(member.etcd.eventsOf(2n), true);
    await member.read();
    expect(member.listings).toBe(4);
  });

  test('is given up when its listing fails, and listed at the next reading', async () => {
    const refused = new CodedError('STORE_FORBIDDEN', 'permission denied');
    member.failure = refused;
    expect(await member.tree.read(member.link)).toEqual(err(refused));
    member.failure = null;
    commit('a', '1');
    expect(find(await member.read(), 'a')).toBe('1');
  });

  test('is listed anew every five minutes, or less often when it is large, and asks for the reading', async () => {
    await member.read();
    member.clock.advance(299_999);
    await member.read();
    expect([member.listings, member.pokes]).toEqual([1, 0]);
    member.clock.advance(1);
    expect(member.pokes).toBe(1);
    // 4 MB at 8 kB a second.
    commit('a', 'x'.repeat(4_000_000));
    await member.read();
    expect(member.listings).toBe(2);
    member.clock.advance(499_999);
    expect(member.pokes).toBe(1);
    member.clock.advance(1);
    expect(member.pokes).toBe(2);
    // Nothing of it outlives the tree.
    await member.read();
    member.tree.forget();
    member.clock.advance(10_000_000);
    expect(member.pokes).toBe(2);
  });

  test('is listed by every reading where that is wanted', async () => {
    member = new Member(0);
    for (let n = 1; n <= 3; n++) expect((await member.read()).revision).toBe(1n);
    expect(member.listings).toBe(3);
    member.clock.advance(10_000_000);
    expect(member.pokes).toBe(0);
  });
});
