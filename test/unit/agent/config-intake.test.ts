import { describe, expect, it } from 'vitest';
import { IntakeBench, SERVICES, restarted, without } from '../../fakes/intake-bench.ts';

describe('the way of edits', () => {
  it('puts into force what the store holds, and says since when and from where', async () => {
    const bench = await new IntakeBench().fill().start();
    expect(bench.services).toEqual(SERVICES);
    expect(bench.intake.view()).toMatchObject({
      origin: 'store',
      acceptedAt: bench.clock.now(),
      confirmedAt: bench.clock.now(),
      seenRevision: bench.intake.accepted()?.revision,
      failure: null,
      hold: null,
    });
    expect(bench.pokes).toBeGreaterThan(0);
  });

  it('lets adds and edits take effect without waiting', async () => {
    const bench = await new IntakeBench().fill().start();
    bench.store.put('config/services/s0', { vip: 'shop', match: { ports: ['80'] }, scheduler: 'rr' });
    bench.store.put('config/services/new', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(['new', ...SERVICES]);
    expect(bench.intake.accepted()?.services['s0']?.scheduler).toBe('rr');
  });

  it('waits for a root instead of taking its absence for an empty configuration', async () => {
    const bench = new IntakeBench().fill();
    bench.store.rootExists = false;
    await bench.start();
    expect(bench.intake.accepted()).toBeNull();
    expect(bench.intake.view().origin).toBe('none');
    bench.source.notifyChange();
    await bench.pass(0);
    expect(bench.log.about('no root yet')).toHaveLength(1);
    bench.store.rootExists = true;
    bench.store.put('config/services/s0', { vip: 'shop', match: { ports: ['80'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(SERVICES);
  });

  it('shows a bad record as a problem and keeps its last good version', async () => {
    const bench = await new IntakeBench().fill().start();
    bench.store.put('config/services/s0', '{ "vip": ');
    await bench.pass(3_000);
    expect(bench.services).toEqual(SERVICES);
    expect(bench.intake.view().problems).toMatchObject([{ path: 'config/services/s0' }]);
  });

  it('keeps the last good version of a bad record over a restart', async () => {
    const before = await new IntakeBench().fill().start();
    const after = await restarted(before);
    after.store.put('config/services/s0', '{ "vip": ');
    await after.start();
    await after.pass(3_000);
    expect(after.services).toEqual(SERVICES);
  });
});

describe('a member that has lost its ensemble', () => {
  it('is better than nothing to an agent that knows nothing', async () => {
    const bench = new IntakeBench().fill();
    bench.store.isOld = true;
    await bench.start();
    expect(bench.services).toEqual(SERVICES);
  });

  it('takes back nothing that was in force before a restart, for it may be older', async () => {
    const before = await new IntakeBench().fill().start();
    before.store.put('config/services/new', { vip: 'shop', match: { ports: ['81'] } });
    await before.pass(0);
    const after = await restarted(before);
    after.store.isOld = true;
    await after.start();
    await after.pass(6_000);
    expect(after.services).toEqual(['new', ...SERVICES]);
    expect(after.intake.view().origin).toBe('last-known-good');
    // The ensemble is back, and says that the service was deleted meanwhile.
    after.store.isOld = false;
    after.store.setReachable(true);
    await after.pass(3_000);
    expect(after.services).toEqual(SERVICES);
  });
});

describe('a store that is away', () => {
  it('keeps what is in force and tells why, once, while it asks again and again', async () => {
    const bench = await new IntakeBench().fill().start();
    bench.store.setReachable(false);
    bench.source.notifyChange();
    await bench.pass(3_600_000);
    expect(bench.services).toEqual(SERVICES);
    expect(bench.intake.view()).toMatchObject({ origin: 'store', failure: /STORE_UNREACHABLE/ });
    expect(bench.log.about('cannot be read')).toHaveLength(1);
    // Once in 10 s at the most, and it never gives up.
    expect(bench.source.snapshots).toBeGreaterThan(300);
    expect(bench.source.snapshots).toBeLessThan(400);
    bench.store.setReachable(true);
    await bench.pass(0);
    expect(bench.intake.view().failure).toBeNull();
  });

  it('does not complain of a store to which it is only being connected', async () => {
    const bench = new IntakeBench().fill();
    bench.store.setReachable(false);
    bench.store.whyUnreachable = null;
    await bench.start();
    await bench.pass(1_000);
    expect(bench.log.about('cannot be read')).toEqual([]);
    expect(bench.intake.view().failure).toMatch(/STORE_UNREACHABLE/);
    bench.store.whyUnreachable = 'connection refused';
    await bench.pass(60_000);
    expect(bench.log.about('cannot be read')).toHaveLength(1);
  });

  it('logs a problem when it is first met, and not at every look', async () => {
    const bench = await new IntakeBench().fill().start();
    bench.store.put('config/services/web/reals/bad', { address: '10.0.0.300' });
    await bench.pass(0);
    bench.store.put('config/services/new', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(0);
    const lines = bench.log.lines.filter(({ message }) => message === 'a record has a problem');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields).toMatchObject({
      problem: expect.stringMatching(/^config\/.*bad: address: found "10\.0\.0\.300", allowed/) as string,
    });
  });

  it('puts the last known good into force after the wait, not before', async () => {
    const before = await new IntakeBench().fill().start();
    const after = await restarted(before);
    after.store.setReachable(false);
    await after.start();
    await after.pass(4_900);
    expect(after.intake.accepted()).toBeNull();
    await after.pass(200);
    expect(after.services).toEqual(SERVICES);
    expect(after.intake.view()).toMatchObject({ origin: 'last-known-good', failure: /STORE_UNREACHABLE/ });
  });

  it('does without the last known good when the store answers in time', async () => {
    const before = await new IntakeBench().fill().start();
    const after = await restarted(before);
    await after.start();
    expect(after.intake.view().origin).toBe('store');
    await after.pass(60_000);
    expect(after.intake.view().origin).toBe('store');
    expect(after.log.about('last known good')).toEqual([]);
  });

  it('gives way to a store that comes later', async () => {
    const before = await new IntakeBench().fill().start();
    const after = await restarted(before);
    after.store.put('config/services/new', { vip: 'shop', match: { ports: ['81'] } });
    after.store.setReachable(false);
    await after.start();
    await after.pass(6_000);
    expect(after.services).toEqual(SERVICES);
    after.store.setReachable(true);
    await after.pass(0);
    expect(after.services).toEqual(['new', ...SERVICES]);
    expect(after.intake.view()).toMatchObject({ origin: 'store', failure: null });
  });

  it('waits for ever when there is no last known good', async () => {
    const bench = new IntakeBench().fill();
    bench.store.setReachable(false);
    await bench.start();
    await bench.pass(86_400_000);
    expect(bench.intake.accepted()).toBeNull();
    expect(bench.intake.view().failure).toMatch(/STORE_UNREACHABLE/);
  });

  it('says how old the accepted set is by when the store last confirmed it, not by the last edit', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.pass(3_600_000);
    const lostAt = bench.clock.now();
    bench.store.setReachable(false);
    await bench.pass(10_000);
    expect(bench.intake.view().confirmedAt).toBe(lostAt);
    await bench.intake.stop();
    expect(bench.file.load()?.confirmedAt).toBe(lostAt);
  });

  it('notes at its stop that the store stood by it until then', async () => {
    const bench = await new IntakeBench().fill().start();
    bench.source.notifyState();
    await bench.pass(3_600_000);
    await bench.intake.stop();
    expect(bench.file.load()?.confirmedAt).toBe(bench.clock.now());
  });
});

describe('what a restart remembers', () => {
  it('measures the store against the last known good even if the store is up', async () => {
    const before = await new IntakeBench().fill().start();
    const after = await restarted(before);
    for (const name of ['s0', 's1', 's2', 's3']) after.store.remove(`config/services/${name}`);
    await after.start();
    await after.pass(5_000);
    expect(after.services).toEqual(SERVICES);
    expect(after.held).toHaveLength(4);
  });

  it('holds a store that comes back empty, also one without its root', async () => {
    for (const rootExists of [true, false]) {
      const before = await new IntakeBench().fill().start();
      const after = await restarted(before);
      after.store.remove('config');
      after.store.rootExists = rootExists;
      await after.start();
      await after.pass(5_000);
      expect(after.services).toEqual(SERVICES);
      expect(after.intake.view().hold?.why).toMatch(rootExists ? /emptied/ : /root/);
    }
  });

  it('counts losses of before the restart against the limits', async () => {
    const before = await new IntakeBench().fill().start();
    await before.lose('s0', 's1');
    await before.pass(1_000);
    const after = await restarted(before);
    after.clock.advance(before.clock.monotonic());
    for (const name of ['s0', 's1', 's2', 's3']) after.store.remove(`config/services/${name}`);
    await after.start();
    await after.pass(1_000);
    expect(after.services).toEqual(without('s0', 's1'));
    expect(after.held).toEqual(['service s2', 'service s3']);
  });

  it('does not announce again a hold that lasts over the restart, nor forget since when it is', async () => {
    const before = await new IntakeBench().fill().start();
    await before.lose('s0', 's1', 's2', 's3');
    await before.pass(1_000);
    const since = before.intake.view().hold?.since;
    const after = await restarted(before);
    for (const name of ['s0', 's1', 's2', 's3']) after.store.remove(`config/services/${name}`);
    await after.start();
    await after.pass(1_000);
    expect(after.intake.view().hold?.since).toBe(since);
    expect(after.log.about('a change is held')).toEqual([]);
  });

  it('writes the last known good soon after an edit, and at the latest when it stops', async () => {
    const bench = await new IntakeBench().fill().start();
    expect(bench.file.load()).toBeNull();
    await bench.pass(600);
    const saved = bench.file.load();
    expect(Object.keys(saved?.desired.services ?? {}).sort()).toEqual(SERVICES);
    expect(saved?.good.get('config/services/s3')?.created).toBe(bench.store.records.get('config/services/s3')?.created);
    bench.store.put('config/services/new', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(0);
    await bench.intake.stop();
    expect(Object.keys(bench.file.load()?.desired.services ?? {})).toContain('new');
  });

  it('leaves no timer behind when it stops', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0');
    await bench.intake.stop();
    expect(bench.clock.pendingTimers).toBe(0);
  });
});
