import { beforeEach, describe, expect, test } from 'vitest';
import { CodedError } from '../../../../src/core/errors.ts';
import { err, ok } from '../../../../src/core/result.ts';
import type { Result } from '../../../../src/core/result.ts';
import { exists, getData } from '../../../../src/sources/zookeeper/calls.ts';
import type { Session } from '../../../../src/sources/zookeeper/session.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import type { ManualClock } from '../../../fakes/manual-clock.ts';
import type { ScriptedZookeeper } from '../../../fakes/scripted-zookeeper.ts';
import { SessionBench } from '../../../fakes/session-bench.ts';
import type { SessionBenchOptions } from '../../../fakes/session-bench.ts';
import { event, framed, int, long, reply, stat, text, welcome } from '../../../fakes/zookeeper-bytes.ts';

const PING = 11;
const AUTH = 100;
const CLOSE = -11;

let clock: ManualClock;
let store: ScriptedZookeeper;
let session: Session;
let changes: string[];
let watched: string[];
let auth: Result<string | null, CodedError>;

function open(options: SessionBenchOptions = {}): void {
  ({ clock, store, session, changes, watched } = new SessionBench({ auth: () => auth, ...options }));
}

beforeEach(() => {
  auth = ok(null);
  open();
});

describe('connecting', () => {
  test('the server is named, and the session as people know it', async () => {
    await store.greet({ session: -1n });
    expect(session.state()).toMatchObject({
      kind: 'connected',
      server: '10.0.0.2:2181',
      session: '0xffffffffffffffff',
    });
    expect(changes).toEqual(['connected']);
  });

  test('credentials go before anything else, and requests fail until the server has taken them', async () => {
    auth = ok('ana:secret');
    const connection = await store.greet();
    await settle();
    expect(connection.requests()).toEqual([{ xid: -4, op: AUTH }]);
    expect(await session.request(getData('/a'))).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
    connection.send(reply(-4));
    expect(changes).toEqual(['connected']);
    void session.request(getData('/a'));
    await settle();
    expect(connection.requests()).toEqual([{ xid: 1, op: 4 }]);
  });

  test('refused credentials are an error of their own, and are fetched anew for the next attempt', async () => {
    auth = ok('ana:wrong');
    (await store.greet()).send(reply(-4, { error: -115 }));
    expect(session.lastError).toMatchObject({ code: 'STORE_AUTH_FAILED' });
    auth = ok('ana:right');
    const second = await store.greet();
    await settle();
    expect(second.packets()[0]?.includes('ana:right')).toBe(true);
  });

  test('a secret that cannot be read is said, and nothing is sent without it', async () => {
    auth = err(new CodedError('SECRET_UNREADABLE', 'no such file'));
    const connection = await store.greet();
    await settle();
    expect(connection.packets()).toEqual([]);
    expect(connection.isDropped).toBe(true);
    expect(session.state()).toMatchObject({ kind: 'connecting', lastError: 'SECRET_UNREADABLE: no such file' });
  });

  test('a server that takes the connection and says nothing costs one deadline, handshake included', async () => {
    clock.advance(1_500);
    store.last.open();
    await settle();
    clock.advance(499);
    expect(store.connections).toHaveLength(1);
    clock.advance(1);
    expect(store.connections.map((each) => each.server.host)).toEqual(['10.0.0.2', '10.0.0.1']);
    expect(store.connections[0]?.isDropped).toBe(true);
  });

  test('what an abandoned connection still says is not heard', async () => {
    const [first] = store.connections;
    clock.advance(2_000);
    first?.open();
    first?.send(welcome());
    first?.close();
    await settle();
    expect(changes).toEqual([]);
    expect(store.connections).toHaveLength(2);
  });

  test('rounds of failures are spaced by a growing pause', () => {
    const fail = (): void => store.last.close('refused');
    fail();
    fail();
    expect(store.connections).toHaveLength(2);
    clock.advance(100);
    expect(store.connections).toHaveLength(3);
    fail();
    fail();
    clock.advance(199);
    expect(store.connections).toHaveLength(4);
    clock.advance(1);
    expect(store.connections).toHaveLength(5);
    expect(session.state()).toMatchObject({ kind: 'connecting', lastError: 'STORE_UNREACHABLE: refused' });
  });
});

describe('requests', () => {
  test('are answered in order, each by its own reply, however many arrive at once', async () => {
    const connection = await store.greet();
    const both = Promise.all([session.request(getData('/a')), session.request(exists('/b'))]);
    await settle();
    connection.send(
      reply(1, { zxid: 7n }, text('one'), stat({ mzxid: 5n })),
      reply(2, { zxid: 8n }, stat({ version: 3 })),
    );
    const [a, b] = await both;
    expect(a.ok && Buffer.from(a.value.bytes).toString()).toBe('one');
    expect(b.ok && b.value.version).toBe(3);
    expect(session.lastZxid).toBe(8n);
  });

  test.each([
    [-101, 'STORE_NOT_FOUND', false],
    [-102, 'STORE_FORBIDDEN', false],
    [-110, 'STORE_CONFLICT', false],
    [-125, 'STORE_TOO_LARGE', false],
    [-127, 'STORE_UNREACHABLE', true],
    [-9_999, 'STORE_PROTOCOL', false],
  ])('error %i of the server is %s and ends nothing', async (error, code, transient) => {
    const connection = await store.greet();
    const answer = session.request(getData('/a'));
    await settle();
    connection.send(reply(1, { error }));
    expect(await answer).toMatchObject({ ok: false, error: { code, transient, serverCode: error } });
    expect(connection.isDropped).toBe(false);
  });

  test('a reply that does not parse fails its request only', async () => {
    const connection = await store.greet();
    const answers = Promise.all([session.request(exists('/a')), session.request(exists('/b'))]);
    await settle();
    connection.send(reply(1, {}, int(0)), reply(2, {}, stat()));
    expect(await answers).toMatchObject([{ ok: false, error: { code: 'STORE_PROTOCOL' } }, { ok: true }]);
    expect(connection.isDropped).toBe(false);
  });

  test('a reply above the limit fails its request only', async () => {
    const connection = await store.greet();
    const answers = Promise.all([session.request(getData('/a')), session.request(exists('/b'))]);
    await settle();
    connection.send(reply(1, {}, text('x'.repeat(2_000)), stat()), reply(2, {}, stat()));
    expect(await answers).toMatchObject([{ ok: false, error: { code: 'STORE_TOO_LARGE' } }, { ok: true }]);
    expect(connection.isDropped).toBe(false);
  });

  test('a request above the limit is refused before it is sent', async () => {
    const connection = await store.greet();
    const outcome = await session.request(getData(`/${'a'.repeat(600)}`));
    expect(outcome).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
    expect(connection.packets()).toEqual([]);
  });

  test('more than the allowed number under way are refused, and the others still answered', async () => {
    const connection = await store.greet();
    const answers = Array.from({ length: 5 }, () => session.request(exists('/a')));
    expect(await answers[4]).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
    connection.send(...[1, 2, 3, 4].map((xid) => reply(xid, {}, stat())));
    expect((await Promise.all(answers.slice(0, 4))).every((answer) => answer.ok)).toBe(true);
  });

  test('a reply out of order ends the connection, and everybody is answered', async () => {
    const connection = await store.greet();
    const answers = Promise.all([session.request(exists('/a')), session.request(exists('/b'))]);
    await settle();
    connection.send(reply(2, {}, stat()));
    expect(await answers).toMatchObject([
      { ok: false, error: { code: 'STORE_DISCONNECTED', transient: true } },
      { ok: false, error: { code: 'STORE_DISCONNECTED' } },
    ]);
    expect(connection.isDropped).toBe(true);
    expect(session.lastError?.code).toBe('STORE_PROTOCOL');
  });

  test('while there is no connection they fail at once, with the reason', async () => {
    store.last.close('connection refused');
    expect(await session.request(exists('/a'))).toMatchObject({
      ok: false,
      error: { code: 'STORE_UNREACHABLE', transient: true, cause: { message: 'connection refused' } },
    });
  });
});

describe('watch events', () => {
  test('reach the listener in their place among the replies, unknown types included', async () => {
    const connection = await store.greet();
    const answer = session.request(exists('/a')).then(() => watched.push('reply'));
    await settle();
    connection.send(event(1, '/x'), event(99, '/y'), reply(1, {}, stat()));
    await answer;
    expect(watched).toEqual(['1 /x', '99 /y', 'reply']);
  });
});

describe('the life of the session', () => {
  test('a ping leaves at each third; a silent server is given up after two thirds', async () => {
    const connection = await store.greet({ timeoutMs: 6_000 });
    await clock.advanceAsync(2_000);
    expect(connection.requests()).toEqual([{ xid: -2, op: PING }]);
    connection.send(reply(-2));
    await clock.advanceAsync(3_999);
    expect(changes).toEqual(['connected']);
    await clock.advanceAsync(1);
    expect(changes).toEqual(['connected', 'lost']);
    expect(store.last.server.host).toBe('10.0.0.1');
  });

  test('the next server gets the session id, the password and the newest transaction seen', async () => {
    const connection = await store.greet({ session: 0x77n });
    const answer = session.request(exists('/a'));
    await settle();
    connection.send(reply(1, { zxid: 0x99n }, stat()));
    await answer;
    connection.close();
    store.last.open();
    await settle();
    const password = Buffer.alloc(16, 7);
    const expected = framed(int(0), long(0x99n), int(9_000), long(0x77n), int(16), password, Buffer.of(0));
    expect(store.last.packets()[0]).toEqual(expected.subarray(4));
  });

  test('a stream that has lost its order names no transaction: all servers would refuse us for having seen it', async () => {
    const connection = await store.greet();
    void session.request(exists('/a'));
    await settle();
    connection.send(reply(418, { zxid: 0x7777_0000_0000_0000n }, stat()));
    expect(session.lastError?.code).toBe('STORE_PROTOCOL');
    store.last.open();
    await settle();
    // ConnectRequest: int protocolVersion, long lastZxidSeen.
    expect(store.last.packets()[0]?.subarray(4, 12)).toEqual(long(0n));
  });

  test('a read-only server is read without counting as a session, and left for one that can write', async () => {
    open({ allowReadOnly: true });
    const connection = await store.greet({ readOnly: true });
    expect(connection.server.host).toBe('10.0.0.2');
    expect(changes).toEqual(['connected']);
    expect(session.state()).toMatchObject({
      kind: 'connecting',
      lastError: expect.stringContaining('read-only') as unknown,
    });
    const read = session.request(exists('/a'));
    await settle();
    connection.send(reply(1, {}, stat()));
    expect((await read).ok).toBe(true);
    await clock.advanceAsync(500);
    expect(store.last.server.host).toBe('10.0.0.2');
    store.last.close('refused');
    store.last.open();
    store.last.send(Buffer.from('Mode: leader\n'));
    store.last.close();
    expect(connection.isDropped).toBe(true);
    await store.greet({ session: 0x5678n });
    expect(session.state()).toMatchObject({ kind: 'connected', server: '10.0.0.1:2181', session: '0x5678' });
    expect(changes).toEqual(['connected', 'lost', 'connected']);
  });

  test('a read-only server that makes no sessions says so in place of a welcome', async () => {
    open({ allowReadOnly: true });
    store.last.open();
    await settle();
    // ReadOnlyRequestProcessor.sendErrorResponse: a ReplyHeader to the request of the greeting, whose cxid is 0.
    store.last.send(reply(0, { zxid: 0x100000005n, error: -119 }));
    expect(session.lastError?.message).toMatch(/a new session: .*-119 \(notReadOnly\)/);
    expect(store.last.server.host).toBe('10.0.0.1');
  });

  test('an expired session answers everybody, and a new one follows at the same server', async () => {
    const connection = await store.greet();
    const answers = Promise.all([session.request(exists('/a')), session.request(exists('/b'))]);
    await settle();
    connection.send(reply(1, { error: -112 }));
    const expired = { ok: false, error: { code: 'STORE_SESSION_EXPIRED', transient: true } };
    expect(await answers).toMatchObject([expired, expired]);
    await store.greet({ session: 0x5678n });
    expect(changes).toEqual(['connected', 'expired', 'connected']);
    expect(store.last.server).toEqual(connection.server);
    expect(session.state()).toMatchObject({ session: '0x5678' });
  });

  test('jumps of the wall clock neither end a living connection nor keep a dead one, nor make us forget', async () => {
    const day = 86_400_000;
    const connection = await store.greet({ session: 0x77n });
    clock.jumpWallClock(day);
    await clock.advanceAsync(5_999);
    connection.send(reply(-2));
    expect(changes).toEqual(['connected']);
    clock.jumpWallClock(-day);
    await clock.advanceAsync(5_999);
    expect(changes).toEqual(['connected']);
    await clock.advanceAsync(1);
    expect(changes).toEqual(['connected', 'lost']);
    // Both hang up on the greeting, but two sessions' time has not passed: the session is kept.
    for (let n = 0; n < 4; n++) {
      clock.jumpWallClock(day);
      store.last.open();
      await settle();
      store.last.close();
      await clock.advanceAsync(200);
    }
    expect(changes).toEqual(['connected', 'lost']);
    expect(session.sessionId).toBe(0x77n);
  });

  test('a dead process is told from a held-up one: late timers get a moment to hear what has come', async () => {
    const connection = await store.greet({ timeoutMs: 6_000 });
    // The event loop stands for 5 s; then the timer runs before the socket is read.
    const late = 5_000;
    clock.monotonic = (
      (real) => () =>
        real.call(clock) + late
    )(clock.monotonic.bind(clock));
    await clock.advanceAsync(4_000);
    expect(changes).toEqual(['connected']);
    connection.send(reply(-2));
    await clock.advanceAsync(100);
    expect(changes).toEqual(['connected']);
  });

  test('close asks the server to end the session, waits for its word, and takes no more requests', async () => {
    const connection = await store.greet();
    const closed = session.close({ keepSession: false });
    await settle();
    expect(connection.requests()).toEqual([{ xid: 1, op: CLOSE }]);
    expect(await session.request(exists('/a'))).toMatchObject({ ok: false, error: { code: 'STORE_CLOSED' } });
    connection.send(reply(1));
    await closed;
    expect(session.state()).toEqual({ kind: 'closed' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('close that keeps the session says nothing to the server', async () => {
    const connection = await store.greet();
    await session.close({ keepSession: true });
    expect(connection.packets()).toEqual([]);
    expect(connection.isDropped).toBe(true);
  });

  test('a thousand reconnects leave no timer, no request and no connection behind', async () => {
    for (let n = 0; n < 1_000; n++) {
      const connection = await store.greet();
      const answer = session.request(exists('/a'));
      clock.advance(3_000);
      connection.send(reply(-2));
      connection.close();
      expect((await answer).ok).toBe(false);
      // One deadline for the next attempt; no ping, no pause.
      expect(clock.pendingTimers).toBe(1);
    }
    expect(store.connections.filter((each) => !each.isDropped)).toHaveLength(1);
  });

  test('closing twice, before anything and after everything, is harmless', async () => {
    await session.close({ keepSession: false });
    await session.close({ keepSession: false });
    expect(store.last.isDropped).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});
