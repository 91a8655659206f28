import { beforeEach, expect, test } from 'vitest';
import { exists } from '../../../../src/sources/zookeeper/calls.ts';
import type { Session } from '../../../../src/sources/zookeeper/session.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import type { ManualClock } from '../../../fakes/manual-clock.ts';
import type { ScriptedZookeeper } from '../../../fakes/scripted-zookeeper.ts';
import { SessionBench } from '../../../fakes/session-bench.ts';
import { reply } from '../../../fakes/zookeeper-bytes.ts';

// A server hangs up on more than its jute.maxbuffer, and says nothing of it: the session learns from where it broke.
const LARGE = exists(`/${'a'.repeat(10_000)}`);
let clock: ManualClock;
let store: ScriptedZookeeper;
let session: Session;

beforeEach(() => {
  ({ clock, store, session } = new SessionBench({ servers: 1, maxRequestBytes: 50_000 }));
});

async function hangUpOn(reason: string | undefined): Promise<string> {
  const connection = await store.greet();
  const answer = session.request(LARGE);
  await settle();
  connection.close(reason);
  const outcome = await answer;
  await clock.advanceAsync(400);
  return outcome.ok ? 'answered' : outcome.error.code;
}

test('of two hang-ups on a large request the reason is told, and a third is not provoked', async () => {
  expect(await hangUpOn('closed')).toBe('STORE_DISCONNECTED');
  expect(session.lastError?.message).toMatch(/^closed: a request of 100\d\d bytes was under way, .*jute\.maxbuffer/);
  expect(await hangUpOn('closed')).toBe('STORE_DISCONNECTED');
  const connection = await store.greet();
  expect(await session.request(LARGE)).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
  await settle();
  expect(connection.packets()).toEqual([]);
});

test('an answer to as large a request, over a later connection, takes the suspicion away', async () => {
  await hangUpOn('closed');
  const connection = await store.greet();
  const answer = session.request(LARGE);
  await settle();
  connection.send(reply(2, { error: -101 }));
  expect(await answer).toMatchObject({ ok: false, error: { code: 'STORE_NOT_FOUND' } });
  // What broke after it had another reason.
  connection.close();
  await clock.advanceAsync(400);
  // What that connection took says nothing of the next, so this is the first hint, and one is not enough.
  await hangUpOn('closed');
  expect(session.requestLimit.suspect).toBeGreaterThan(10_000);
  await store.greet();
  expect(session.requestLimit.excess(10_020)).toBeNull();
});

test('a stream that made no sense says nothing about lengths', async () => {
  for (let n = 0; n < 2; n++) {
    const connection = await store.greet();
    void session.request(LARGE);
    await settle();
    connection.send(reply(777));
    await clock.advanceAsync(400);
  }
  expect(session.requestLimit.isDoubtful).toBe(false);
});
