import { beforeEach, describe, expect, test } from 'vitest';
import { Backoff } from '../../../../src/core/backoff.ts';
import { WriterSearch } from '../../../../src/sources/zookeeper/writer-search.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { ScriptedZookeeper } from '../../../fakes/scripted-zookeeper.ts';

const SERVERS = [1, 2].map((n) => ({ host: `10.0.0.${n}`, address: `10.0.0.${n}`, port: 2181 }));
/** As ZooKeeper 3.8 answers, shortened. */
const answer = (mode: string): Buffer =>
  Buffer.from(`Zookeeper version: 3.8.0\nZxid: 0x4\nMode: ${mode}\nNode count: 9\n`);

let clock: ManualClock;
let store: ScriptedZookeeper;
let found: number[];
let search: WriterSearch;

beforeEach(() => {
  clock = new ManualClock();
  store = new ScriptedZookeeper();
  found = [];
  const backoff = new Backoff({ firstMs: 100, maxMs: 400, factor: 2, jitter: 0 }, () => 0);
  search = new WriterSearch({ dial: store.dial, clock, backoff, patienceMs: 50 }, (server) => found.push(server));
  search.start(SERVERS);
});

describe('the search for a server that can write', () => {
  test('asks one after another, in rounds ever further apart, until one says that it can', () => {
    clock.advance(99);
    expect(store.connections).toHaveLength(0);
    clock.advance(1);
    store.last.open();
    expect(store.last.raw.toString()).toBe('srvr');
    store.last.send(answer('read-only'));
    store.last.close();
    store.last.open();
    store.last.send(Buffer.from('This ZooKeeper instance is not currently serving requests\n'));
    store.last.close();
    clock.advance(199);
    expect(store.connections).toHaveLength(2);
    clock.advance(1);
    store.last.close('refused');
    store.last.open();
    store.last.send(answer('follower').subarray(0, 40), answer('follower').subarray(40));
    expect(found).toEqual([]);
    store.last.close();
    expect(found).toEqual([1]);
    expect(store.connections.map((each) => [each.server.host, each.isDropped])).toEqual([
      ['10.0.0.1', true],
      ['10.0.0.2', true],
      ['10.0.0.1', true],
      ['10.0.0.2', true],
    ]);
  });

  test('a server that says nothing, or does not stop talking, costs its patience and no more', () => {
    clock.advance(100);
    store.last.open();
    clock.advance(50);
    expect(store.connections.map((each) => each.isDropped)).toEqual([true, false]);
    store.last.open();
    store.last.send(Buffer.alloc(5_000, 'x'));
    expect(store.last.isDropped).toBe(true);
    clock.advance(200);
    expect(store.connections).toHaveLength(3);
    expect(found).toEqual([]);
  });

  test('stopped, it leaves no connection and no timer behind', () => {
    clock.advance(100);
    search.stop();
    expect(store.last.isDropped).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});
