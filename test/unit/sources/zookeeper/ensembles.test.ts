import { beforeEach, describe, expect, test } from 'vitest';
import type { WatchedZnode } from '../../../../src/sources/zookeeper/ensemble-watch.ts';
import { EnsembleBench } from '../../../fakes/ensemble-bench.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import type { ModelZnodes } from '../../../fakes/model-znodes.ts';

const A = '/services/web/10.1.0.1:80';
const B = '/services/web/10.1.0.2:80';
const EXISTS = { kind: 'exists' };
const ABSENT = { kind: 'absent' };

let bench: EnsembleBench;
let server: ModelZnodes;

beforeEach(() => {
  bench = new EnsembleBench();
  server = bench.server;
});

describe('a znode', () => {
  test('is asked for once, and then answered from memory', async () => {
    server.nodes.add(A);
    const [a, b] = [bench.watch(A), bench.watch(B)];
    await server.connect();
    expect(await bench.learn(a)).toEqual(EXISTS);
    expect(await bench.learn(b)).toEqual(ABSENT);
    expect(server.asked()).toEqual([A, B]);
    await bench.clock.advanceAsync(2_000);
    for (let probe = 0; probe < 100; probe++) {
      // At once, and not by a promise.
      expect(a.ask()).toEqual(EXISTS);
      expect(b.ask()).toEqual(ABSENT);
    }
    await bench.exchange();
    expect(server.asked()).toEqual([]);
    expect(await bench.learn(bench.watch('/later'))).toEqual(ABSENT);
  });

  test('is asked for again after each event, and not before somebody asks', async () => {
    const a = bench.watch(A);
    await server.connect();
    expect(await bench.learn(a)).toEqual(ABSENT);
    server.asked();
    for (const [happen, then] of [
      [() => server.create(A), EXISTS],
      [() => server.change(A), EXISTS],
      [() => server.remove(A), ABSENT],
      [() => server.create(A), EXISTS],
    ] as const) {
      happen();
      await bench.exchange();
      expect(server.asked()).toEqual([]);
      expect(await bench.learn(a)).toEqual(then);
      expect(server.asked()).toEqual([A]);
    }
  });

  test('is not taken for known when its event comes in one piece with the reply', async () => {
    server.nodes.add(A);
    const a = bench.watch(A);
    await server.connect();
    const first = a.ask();
    await settle();
    server.work();
    server.remove(A);
    server.deliver();
    // It was there when the server was asked.
    expect(await first).toEqual(EXISTS);
    expect(await bench.learn(a)).toEqual(ABSENT);
    expect(a.ask()).toEqual(ABSENT);
  });

  test('that many ask for in one turn is asked for once', async () => {
    const [one, other] = [bench.watch(A), bench.watch(A)];
    await server.connect();
    const answers = [one, other, one].map((each) => bench.ask(each));
    await bench.exchange();
    expect(await Promise.all(answers)).toEqual([ABSENT, ABSENT, ABSENT]);
    expect(server.asked()).toEqual([A]);
  });

  test.each([
    [-127, 'throttledOp'],
    // Servers from 3.7.3, 3.8.4 and 3.9.2 on, where we may not read it.
    [-102, 'noAuth'],
  ])('of which the server tells only an error (%i, %s) is unknown, and asked for again', async (error, name) => {
    const a = bench.watch(A);
    await server.connect();
    server.error = error;
    const cause = expect.stringContaining(`the server answered ${error} (${name}) (ZooKeeper 10.0.0.1:2181`) as string;
    expect(await bench.learn(a)).toEqual({ kind: 'unknown', cause });
    server.error = null;
    // Its creation was told to nobody: no watch stands.
    server.create(A);
    expect(await bench.learn(a)).toEqual(EXISTS);
  });
});

test('ten thousand that are asked for in one turn are all answered, with a bounded number under way', async () => {
  const znodes = Array.from({ length: 10_000 }, (_, n) => bench.watch(`/n/${n}`));
  for (let n = 0; n < 10_000; n += 2) server.nodes.add(`/n/${n}`);
  await server.connect();
  const answers = Promise.all(znodes.map((znode) => bench.ask(znode)));
  await settle();
  let most = 0;
  for (;;) {
    server.work();
    if (server.undelivered === 0) break;
    most = Math.max(most, server.undelivered);
    server.deliver(100);
    await settle();
  }
  expect(most).toBe(500);
  expect((await answers).map(({ kind }) => kind)).toEqual(znodes.map((_, n) => (n % 2 === 0 ? 'exists' : 'absent')));
  expect(server.asked()).toHaveLength(10_000);
});

describe('without a connection', () => {
  test('nothing is known any more, and after a reconnect each is asked for anew', async () => {
    server.nodes.add(A);
    const a = bench.watch(A);
    await server.connect();
    expect(await bench.learn(a)).toEqual(EXISTS);
    await bench.clock.advanceAsync(1_000);
    server.hangUp();
    server.nodes.delete(A);
    const answer = a.ask();
    expect(answer).toBeInstanceOf(Promise);
    await server.connect();
    await bench.exchange();
    expect(await answer).toEqual(ABSENT);
    expect(server.asked()).toEqual([A, A]);
  });

  test('what was under way when it broke is unknown', async () => {
    const a = bench.watch(A);
    await server.connect();
    const answer = a.ask();
    await settle();
    server.hangUp();
    const cause = 'the connection broke while the request was under way (ZooKeeper 10.0.0.1:2181, 10.0.0.2:2181)';
    expect(await answer).toEqual({ kind: 'unknown', cause });
  });

  test('whoever asks waits for a second at most, and the next not at all', async () => {
    const a = bench.watch(A);
    const first = a.ask();
    let isAnswered = false;
    void Promise.resolve(first).then(() => (isAnswered = true));
    await bench.clock.advanceAsync(999);
    expect(isAnswered).toBe(false);
    bench.store.last.close('10.0.0.1:2181: connection refused');
    await bench.clock.advanceAsync(1);
    const cause = 'no session with ZooKeeper: 10.0.0.1:2181: connection refused (10.0.0.1:2181, 10.0.0.2:2181)';
    expect(await first).toEqual({ kind: 'unknown', cause });
    expect(a.ask()).toEqual({ kind: 'unknown', cause });
    expect(bench.log.about('cannot be asked for')).toEqual(['znodes of checks cannot be asked for']);
    // The cause is no news with every attempt, and yet not of yesterday.
    bench.store.last.close('10.0.0.2:2181: no route to host');
    await bench.clock.advanceAsync(1_000);
    expect(a.ask()).toEqual({ kind: 'unknown', cause });
    await bench.clock.advanceAsync(60_000);
    bench.store.last.close('10.0.0.2:2181: no route to host');
    expect(a.ask()).toMatchObject({ cause: expect.stringContaining('no route to host') as string });
    await bench.clock.advanceAsync(500);
    await server.connect();
    expect(await bench.learn(a)).toEqual(ABSENT);
  });

  test('nobody waits for a connection that breaks as soon as it is there, and the log is not filled with it', async () => {
    const a = bench.watch(A);
    await server.connect();
    expect(await bench.learn(a)).toEqual(ABSENT);
    for (let flap = 0; flap < 20; flap++) {
      await bench.clock.advanceAsync(500);
      server.hangUp();
      expect(a.ask()).toMatchObject({
        kind: 'unknown',
        cause: expect.stringContaining('closed by the server') as string,
      });
      await bench.clock.advanceAsync(500);
      await server.connect();
    }
    expect(bench.log.about('asked for')).toEqual([
      'znodes of checks can be asked for',
      'znodes of checks cannot be asked for',
      'znodes of checks can be asked for',
    ]);
    expect(await bench.learn(a)).toEqual(ABSENT);
    // It has lasted.
    await bench.clock.advanceAsync(1_000);
    server.hangUp();
    expect(a.ask()).toBeInstanceOf(Promise);
  });

  test('a session that the ensemble has ended is replaced', async () => {
    server.nodes.add(A);
    const a = bench.watch(A);
    await server.connect({ session: 1n });
    expect(await bench.learn(a)).toEqual(EXISTS);
    await bench.clock.advanceAsync(1_000);
    server.hangUp();
    const answer = a.ask();
    await server.connect({ session: 0n, timeoutMs: 0 });
    await settle();
    await server.connect({ session: 2n });
    await bench.exchange();
    expect(await answer).toEqual(EXISTS);
    expect(a.ask()).toEqual(EXISTS);
  });
});

describe('what nobody wants any more', () => {
  test('is forgotten, and its watch taken back', async () => {
    const [a, b] = [bench.watch(A), bench.watch(B)];
    await server.connect();
    await Promise.all([bench.learn(a), bench.learn(b)]);
    server.asked();
    a.release();
    a.release();
    await bench.exchange();
    expect(server.asked()).toEqual([`removeWatches ${A}`]);
    expect([...server.watches]).toEqual([B]);
    expect(await bench.learn(bench.watch(A))).toEqual(ABSENT);
    expect(server.asked()).toEqual([A]);
  });

  test('costs no request where no watch stands', async () => {
    const [a, b] = [bench.watch(A), bench.watch(B)];
    await server.connect();
    await bench.learn(a);
    server.asked();
    server.create(A);
    await bench.exchange();
    a.release();
    bench.watch('/never/asked').release();
    await bench.exchange();
    expect(server.asked()).toEqual([]);
    const c = bench.watch('/c');
    await bench.learn(c);
    server.hangUp();
    await server.connect();
    server.asked();
    c.release();
    await bench.exchange();
    expect(server.asked()).toEqual([]);
    expect(await bench.learn(b)).toEqual(ABSENT);
  });

  test('and is wanted again before there was room to take its watch back, keeps it', async () => {
    const a = bench.watch(A);
    await server.connect();
    await bench.learn(a);
    const crowd = await bench.askOfCrowd();
    a.release();
    const again = bench.watch(A);
    expect(await bench.learn(again)).toEqual(ABSENT);
    await Promise.all(crowd);
    server.create(A);
    await bench.exchange();
    expect(await bench.learn(again)).toEqual(EXISTS);
  });

  test('and is wanted again for a moment, in which nobody asked, is forgotten all the same', async () => {
    const a = bench.watch(A);
    await server.connect();
    await bench.learn(a);
    const crowd = await bench.askOfCrowd();
    a.release();
    bench.watch(A).release();
    await bench.exchange();
    await Promise.all(crowd);
    expect(server.watches.has(A)).toBe(false);
    expect(server.watches.size).toBe(600);
  });

  test.each([
    [false, 700, 1],
    // One that cannot take a watch back is not asked to go on.
    [true, 500, 701],
  ])('is forgotten a few hundred at a time (by an old server: %s)', async (isOld, requests, left) => {
    server.isOld = isOld;
    const crowd = Array.from({ length: 700 }, (_, n) => bench.watch(`/n/${n}`));
    const kept = bench.watch(A);
    await server.connect();
    const answers = [...crowd, kept].map((each) => bench.ask(each));
    await bench.exchange();
    await Promise.all(answers);
    server.asked();
    for (const each of crowd) each.release();
    await bench.exchange();
    expect(server.asked()).toHaveLength(requests);
    expect(server.watches.size).toBe(left);
  });

  test('is not taken back over the next connection', async () => {
    const [a, b] = [bench.watch(A), bench.watch(B)];
    await server.connect();
    await bench.learn(a);
    for (let n = 0; n < 600; n++) void bench.watch(`/n/${n}`).ask();
    await settle();
    a.release();
    server.hangUp();
    await server.connect();
    await bench.learn(b);
    expect(server.asked().filter((what) => what.startsWith('removeWatches'))).toEqual([]);
  });

  test('stays where another wants it still', async () => {
    const [one, other] = [bench.watch(A), bench.watch(A)];
    await server.connect();
    await bench.learn(one);
    server.asked();
    one.release();
    await bench.exchange();
    expect(other.ask()).toEqual(ABSENT);
    expect(server.asked()).toEqual([]);
  });

  test('keeps its watch at a server that cannot take one back, which is found out once', async () => {
    const [a, b, c] = [bench.watch(A), bench.watch(B), bench.watch('/c')];
    server.isOld = true;
    await server.connect();
    await Promise.all([bench.learn(a), bench.learn(b), bench.learn(c)]);
    server.asked();
    a.release();
    await bench.exchange();
    b.release();
    await bench.exchange();
    expect(server.asked()).toEqual([`removeWatches ${A}`]);
  });

  test('ends the session, and the next that is wanted opens another', async () => {
    const a = bench.watch(A);
    await server.connect();
    await bench.learn(a);
    server.asked();
    a.release();
    await bench.exchange();
    expect(server.asked()).toEqual(['closeSession']);
    expect(bench.store.last.isDropped).toBe(true);
    expect(bench.clock.pendingTimers).toBe(0);
    expect(bench.store.connections).toHaveLength(1);
    const again = bench.watch(A);
    await server.connect();
    expect(await bench.learn(again)).toEqual(ABSENT);
    expect(bench.store.connections).toHaveLength(2);
  });

  test('ends with all else, although somebody wants it', async () => {
    const a = bench.watch(A);
    await server.connect();
    await bench.learn(a);
    server.asked();
    const closed = bench.ensembles.close();
    await bench.exchange();
    await closed;
    expect(server.asked()).toEqual(['closeSession']);
    a.release();
    expect(bench.clock.pendingTimers).toBe(0);
  });

  test('ends with all else, which waits for the server also where the last had just been released', async () => {
    const a = bench.watch(A);
    await server.connect();
    await bench.learn(a);
    a.release();
    let isClosed = false;
    const closed = bench.ensembles.close().then(() => (isClosed = true));
    await settle();
    expect([isClosed, bench.store.last.isDropped]).toEqual([false, false]);
    await bench.exchange();
    await closed;
    expect(server.asked()).toEqual([A, 'closeSession']);
  });

  test('before there was a connection leaves nothing behind', async () => {
    const a = bench.watch(A);
    const answer = a.ask();
    a.release();
    expect(await answer).toEqual({ kind: 'unknown', cause: 'no longer wanted' });
    expect(bench.store.last.isDropped).toBe(true);
    expect(bench.clock.pendingTimers).toBe(0);
  });
});

test('the same ensemble is one session, however it is written, and another one has its own', () => {
  const watch = (...servers: string[]): WatchedZnode => bench.ensembles.watch(servers, A);
  watch('10.0.0.1:2181', '10.0.0.2:2181');
  watch('10.0.0.2', '10.0.0.1', '10.0.0.1:2181');
  expect(bench.store.connections).toHaveLength(1);
  watch('10.0.0.1');
  expect(bench.store.connections).toHaveLength(2);
});
