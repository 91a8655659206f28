import { describe, expect, it } from 'vitest';
import { Publisher } from '../../../src/agent/publisher.ts';
import type { HealthContent } from '../../../src/agent/policy/health-records.ts';
import type { AgentContent, Publication } from '../../../src/agent/publisher.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { MemorySource, MemoryStore } from '../../fakes/memory-store.ts';

const AGENT: AgentContent = {
  v: 1,
  agent: 'lb1',
  version: '0',
  startedAt: '2026-01-01T00:00:00.000Z',
  seenRevision: '',
  acceptedRevision: '',
  position: '',
  ready: true,
  notReady: [],
  problems: [],
  problemCount: 0,
  holds: [],
  drains: {},
  peers: {},
};

const HEALTHY = {
  target: '10.0.0.1:80',
  verdict: 'up',
  since: '',
  cause: 'ok',
  weight: 10,
  state: 'enabled',
} as const;

function health(weight: number): HealthContent {
  const a = { ...HEALTHY, weight };
  return { v: 1, agent: 'lb1', quorum: 'held', advertised: true, reals: { a } };
}

function setUp(store = new MemoryStore()) {
  const clock = new ManualClock();
  const source = new MemorySource(store);
  let publication = (): Publication => ({ agent: AGENT, health: new Map() });
  const publisher = new Publisher(
    { agent: 'lb1', sessionTimeoutMs: 10_000 },
    { source, publication: () => publication(), clock, log: silentLog },
  );
  const say = (wanted: () => Publication): void => {
    publication = wanted;
    publisher.poke();
  };
  const read = (path: string): Record<string, unknown> | undefined => {
    const record = store.ephemeral.get(path);
    return record && (JSON.parse(Buffer.from(record.bytes).toString()) as Record<string, unknown>);
  };
  return { store, clock, source, publisher, say, read };
}

const WEB = 'state/health/web/lb1';
const SELF = 'state/agents/lb1';

describe('the publisher', () => {
  it('writes its own record and the health of each service, stamped with session and validity', async () => {
    const { publisher, say, clock, read, source } = setUp();
    // A generator, as the agent gives one: it can be gone through once.
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]).entries() }));
    await clock.advanceAsync(0);
    expect(publisher.state()).toEqual({ kind: 'ok' });
    expect(read(SELF)).toMatchObject({ agent: 'lb1', session: source.session, at: '2026-01-01T00:00:00.000Z' });
    expect(read(WEB)).toMatchObject({ validUntil: '2026-01-01T00:01:30.000Z', reals: { a: { weight: 10 } } });
  });

  it('gathers a burst: two writes at most in 400 ms, the last one wins', async () => {
    const { say, clock, read, source } = setUp();
    say(() => ({ agent: AGENT, health: new Map([['web', health(1)]]) }));
    await clock.advanceAsync(0);
    const before = source.publishes;
    let asked = 0;
    for (let weight = 2; weight <= 400; weight++) {
      say(() => {
        asked++;
        return { agent: AGENT, health: new Map([['web', health(weight)]]) };
      });
      await clock.advanceAsync(1);
    }
    await clock.advanceAsync(200);
    expect(source.publishes - before).toBeLessThanOrEqual(3);
    expect(asked).toBe(source.publishes - before);
    expect(read(WEB)).toMatchObject({ reals: { a: { weight: 400 } } });
  });

  it('leaves a record alone that did not change, and refreshes it after 30 s', async () => {
    const { say, clock, read } = setUp();
    const publication = { agent: AGENT, health: new Map([['web', health(10)]]) };
    say(() => publication);
    await clock.advanceAsync(0);
    const first = read(WEB);
    say(() => publication);
    await clock.advanceAsync(10_000);
    expect(read(WEB)).toEqual(first);
    await clock.advanceAsync(20_500);
    expect(read(WEB)).toMatchObject({ at: '2026-01-01T00:00:30.200Z', validUntil: '2026-01-01T00:02:00.200Z' });
  });

  it('refreshes large records less often, and promises no more than that', async () => {
    const { say, clock, read, source } = setUp();
    const cause = 'x'.repeat(20_000);
    const large = { ...health(10), reals: { a: { ...HEALTHY, cause } } };
    // 32 records of 20 kB are to cost 8 kB a second.
    const services = Array.from({ length: 32 }, (_, index) => [`web-${index}`, large] as const);
    say(() => ({ agent: AGENT, health: new Map(services) }));
    await clock.advanceAsync(0);
    const first = read('state/health/web-0/lb1');
    expect(first).toMatchObject({ at: '2026-01-01T00:00:00.000Z', validUntil: '2026-01-01T00:04:03.000Z' });
    const before = source.publishes;
    await clock.advanceAsync(80_000);
    expect(source.publishes).toBeGreaterThan(before);
    expect(read(SELF)).toMatchObject({ at: '2026-01-01T00:01:00.000Z' });
    expect(read('state/health/web-0/lb1')).toEqual(first);
    await clock.advanceAsync(30_000);
    expect(read('state/health/web-0/lb1')).toMatchObject({ at: '2026-01-01T00:01:30.000Z' });
  });

  it('does not write the health of all services because of an edit', async () => {
    const { say, clock, read } = setUp();
    const records = new Map([['web', health(10)]]);
    say(() => ({ agent: { ...AGENT, acceptedRevision: 'sha256:1' }, health: records }));
    await clock.advanceAsync(0);
    say(() => ({ agent: { ...AGENT, acceptedRevision: 'sha256:2' }, health: records }));
    await clock.advanceAsync(400);
    expect(read(SELF)).toMatchObject({ acceptedRevision: 'sha256:2' });
    expect(read(WEB)).toMatchObject({ revision: 'sha256:1' });
    await clock.advanceAsync(31_000);
    expect(read(WEB)).toMatchObject({ revision: 'sha256:2' });
  });

  it('says what there is as soon as there is a session, though nobody pokes it', async () => {
    const { source, clock, read } = setUp();
    source.start();
    await clock.advanceAsync(0);
    expect(read(SELF)).toMatchObject({ session: source.session });
  });

  it('takes away the record of a service that is gone', async () => {
    const { say, clock, read } = setUp();
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
    await clock.advanceAsync(0);
    say(() => ({ agent: AGENT, health: new Map() }));
    await clock.advanceAsync(250);
    expect(read(WEB)).toBeUndefined();
    expect(read(SELF)).toBeDefined();
  });

  it('publishes everything again, under the new session, once the old one is lost', async () => {
    const { say, clock, read, source } = setUp();
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
    await clock.advanceAsync(0);
    source.renewSession();
    expect(read(WEB)).toBeUndefined();
    await clock.advanceAsync(1_000);
    expect(read(WEB)).toMatchObject({ session: source.session });
    // The agent's record says the same as before; only the session is another one.
    expect(read(SELF)).toMatchObject({ session: source.session });
  });

  it('writes nothing under a name that another live session holds, says so, and is final after two time-outs', async () => {
    const { publisher, say, clock, read, store } = setUp();
    store.ephemeral.set(SELF, { session: 'stranger', bytes: Buffer.from('{}') });
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
    await clock.advanceAsync(19_000);
    expect(publisher.state()).toMatchObject({ kind: 'contested', session: 'stranger', final: false });
    await clock.advanceAsync(2_000);
    expect(publisher.state()).toMatchObject({ kind: 'contested', session: 'stranger', final: true });
    expect(read(WEB)).toBeUndefined();
    expect(store.ephemeral.get(SELF)?.session).toBe('stranger');
  });

  it('waits for two time-outs that have really passed, whatever the wall clock does', async () => {
    const { publisher, say, clock, store } = setUp();
    store.ephemeral.set(SELF, { session: 'stranger', bytes: Buffer.from('{}') });
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
    await clock.advanceAsync(1_000);
    clock.jumpWallClock(3_600_000);
    await clock.advanceAsync(10_000);
    expect(publisher.state()).toMatchObject({ kind: 'contested', final: false });
    clock.jumpWallClock(-7_200_000);
    await clock.advanceAsync(10_000);
    expect(publisher.state()).toMatchObject({ kind: 'contested', final: true });
  });

  it.each([3_600_000, -3_600_000])(
    'dates its records anew soon after a jump of the wall clock by %i ms',
    async (ms) => {
      const { say, clock, read } = setUp();
      say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
      await clock.advanceAsync(1_000);
      clock.jumpWallClock(ms);
      await clock.advanceAsync(30_000);
      expect(read(WEB)?.['at']).toBe(new Date(clock.now() - 1_000).toISOString());
    },
  );

  it('publishes as soon as the stranger is gone', async () => {
    const { publisher, say, clock, read, store } = setUp();
    store.ephemeral.set(SELF, { session: 'stranger', bytes: Buffer.from('{}') });
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
    await clock.advanceAsync(30_000);
    store.expire('stranger');
    await clock.advanceAsync(5_001);
    expect(publisher.state()).toEqual({ kind: 'ok' });
    expect(read(WEB)).toBeDefined();
  });

  it('replaces at once what an earlier session of its own left behind', async () => {
    const { say, clock, read, store, source } = setUp();
    store.ephemeral.set(SELF, { session: 'before the restart', bytes: Buffer.from('{}') });
    source.adoptSessions(['before the restart']);
    say(() => ({ agent: AGENT, health: new Map() }));
    await clock.advanceAsync(0);
    expect(read(SELF)).toMatchObject({ session: source.session });
  });

  it('goes on after the store was away', async () => {
    const { publisher, say, clock, read, store } = setUp();
    store.setReachable(false);
    say(() => ({ agent: AGENT, health: new Map([['web', health(10)]]) }));
    await clock.advanceAsync(1_000);
    expect(publisher.state()).toMatchObject({ kind: 'offline', why: 'unreachable' });
    store.setReachable(true);
    await clock.advanceAsync(1_000);
    expect(publisher.state()).toEqual({ kind: 'ok' });
    expect(read(WEB)).toBeDefined();
  });
});
