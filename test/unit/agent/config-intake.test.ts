import { describe, expect, it } from 'vitest';
import { ConfigIntake } from '../../../src/agent/config-intake.ts';
import { LastKnownGoodFile } from '../../../src/agent/last-known-good.ts';
import type { LastKnownGood } from '../../../src/agent/last-known-good.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import { RecordDecoder } from '../../../src/model/decode.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { MemorySource, MemoryStore } from '../../fakes/memory-store.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const decoder = new RecordDecoder(checkCatalog);
const SERVICES = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9'];

/** A store with ten services, s0 to s9, and an intake on it. Limits are the default ones: 30 %, but always 2. */
class Bench {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly log = new RecordingLog();
  readonly stateDir: string;
  readonly source = new MemorySource(this.store);
  readonly file: LastKnownGoodFile;
  readonly intake: ConfigIntake;
  pokes = 0;

  constructor(stateDir = tempDir()) {
    this.stateDir = stateDir;
    const { clock, log, source } = this;
    this.file = new LastKnownGoodFile(stateDir, { clock, log });
    this.intake = new ConfigIntake(
      { agent: 'lb1', storeWaitMs: 5_000 },
      { source, decoder, file: this.file, clock, random: () => 0, log },
    );
    this.intake.onChange(() => this.pokes++);
  }

  fill(): this {
    this.store.put('config/agents/lb1', {});
    this.store.put('config/vips/shop', { addresses: ['192.0.2.10'] });
    SERVICES.forEach((name, index) => {
      this.store.put(`config/services/${name}`, { vip: 'shop', match: { ports: [String(8_000 + index)] } });
    });
    return this;
  }

  async start(saved: LastKnownGood | null = this.file.load()): Promise<this> {
    this.intake.start(saved);
    await this.pass(0);
    return this;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await this.clock.advanceAsync(0);
  }

  async lose(...names: readonly string[]): Promise<void> {
    for (const name of names) this.store.remove(`config/services/${name}`);
    await this.pass(0);
  }

  get services(): string[] {
    return Object.keys(this.intake.accepted()?.services ?? {}).sort();
  }

  get held(): readonly string[] | null {
    return this.intake.view().hold?.lost.slice().sort() ?? null;
  }
}

/** A later process in the same state directory, with a store that has the same records. */
async function restarted(before: Bench): Promise<Bench> {
  await before.intake.stop();
  return new Bench(before.stateDir).fill();
}

const without = (...gone: readonly string[]): string[] => SERVICES.filter((name) => !gone.includes(name));

describe('the way of edits', () => {
  it('puts into force what the store holds, and says since when and from where', async () => {
    const bench = await new Bench().fill().start();
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
    const bench = await new Bench().fill().start();
    bench.store.put('config/services/s0', { vip: 'shop', match: { ports: ['80'] }, scheduler: 'rr' });
    bench.store.put('config/services/new', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(['new', ...SERVICES]);
    expect(bench.intake.accepted()?.services['s0']?.scheduler).toBe('rr');
  });

  it('waits for a root instead of taking its absence for an empty configuration', async () => {
    const bench = new Bench().fill();
    bench.store.rootExists = false;
    await bench.start();
    expect(bench.intake.accepted()).toBeNull();
    expect(bench.intake.view().origin).toBe('none');
    bench.store.rootExists = true;
    bench.store.put('config/services/s0', { vip: 'shop', match: { ports: ['80'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(SERVICES);
  });

  it('shows a bad record as a problem and keeps its last good version', async () => {
    const bench = await new Bench().fill().start();
    bench.store.put('config/services/s0', '{ "vip": ');
    await bench.pass(3_000);
    expect(bench.services).toEqual(SERVICES);
    expect(bench.intake.view().problems).toMatchObject([{ path: 'config/services/s0' }]);
  });

  it('keeps the last good version of a bad record over a restart', async () => {
    const before = await new Bench().fill().start();
    const after = await restarted(before);
    after.store.put('config/services/s0', '{ "vip": ');
    await after.start();
    await after.pass(3_000);
    expect(after.services).toEqual(SERVICES);
  });
});

describe('the way of losses', () => {
  it('judges what is lost within 300 ms of quiet as one', async () => {
    const bench = await new Bench().fill().start();
    for (const name of ['s0', 's1', 's2', 's3']) {
      await bench.lose(name);
      await bench.pass(250);
    }
    expect(bench.services).toEqual(SERVICES);
    expect(bench.held).toBeNull();
    await bench.pass(100);
    expect(bench.services).toEqual(SERVICES);
    expect(bench.held).toEqual(['service s0', 'service s1', 'service s2', 'service s3']);
  });

  it('lets a small loss through once the store is quiet, and no sooner', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0', 's1');
    await bench.pass(299);
    expect(bench.services).toEqual(SERVICES);
    await bench.pass(2);
    expect(bench.services).toEqual(without('s0', 's1'));
  });

  it('does not let other edits put off the judgement of a loss', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0');
    for (let edits = 0; edits < 3; edits++) {
      expect(bench.services).toEqual(SERVICES);
      await bench.pass(100);
      bench.store.put('config/services/s9', { vip: 'shop', match: { ports: ['9000'] }, _meta: { edits } });
      await bench.pass(0);
    }
    expect(bench.services).toEqual(without('s0'));
  });

  it('judges a recursive delete that takes many seconds as one', async () => {
    const reals = Array.from({ length: 100 }, (_, n) => `r${n}`);
    const bench = new Bench().fill();
    reals.forEach((name, n) => bench.store.put(`config/services/s0/reals/${name}`, { address: `10.0.0.${n + 1}` }));
    await bench.start();
    for (const name of reals) {
      bench.store.remove(`config/services/s0/reals/${name}`);
      await bench.pass(280);
    }
    expect(Object.keys(bench.intake.accepted()?.services['s0']?.reals ?? {})).toHaveLength(100);
    await bench.pass(300);
    expect(bench.held).toHaveLength(100);
    expect(Object.keys(bench.intake.accepted()?.services['s0']?.reals ?? {})).toHaveLength(100);
  });

  it('waits no longer than 30 s for losses that never end', async () => {
    const bench = new Bench().fill();
    for (let n = 0; n < 1_000; n++) {
      bench.store.put(`config/services/s0/reals/r${n}`, { address: `10.0.${n >> 8}.${n & 255}` });
    }
    await bench.start();
    const left = (): number => Object.keys(bench.intake.accepted()?.services['s0']?.reals ?? {}).length;
    for (let n = 0; n < 119; n++) {
      bench.store.remove(`config/services/s0/reals/r${n}`);
      await bench.pass(250);
    }
    expect(left()).toBe(1_000);
    await bench.pass(500);
    expect(left()).toBe(881);
  });

  it('does not age losses when the wall clock jumps ahead', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0', 's1', 's2');
    await bench.pass(400);
    bench.clock.jumpWallClock(3_600_000);
    await bench.lose('s3');
    await bench.pass(400);
    expect(bench.held).toEqual(['service s3']);
  });

  it('lets edits pass while losses are gathered and while they are held', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    bench.store.put('config/services/gathered', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(['gathered', ...SERVICES]);
    await bench.pass(300);
    bench.store.put('config/services/held', { vip: 'shop', match: { ports: ['82'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(['gathered', 'held', ...SERVICES]);
    expect(bench.held).toHaveLength(4);
  });

  it('takes a loss for none when it is back before the store is quiet', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose(...SERVICES);
    await bench.pass(200);
    bench.fill();
    await bench.pass(5_000);
    expect(bench.held).toBeNull();
    expect(bench.log.about('is held')).toEqual([]);
    expect(bench.services).toEqual(SERVICES);
  });

  it('announces a hold once, and its end', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(400);
    bench.source.notifyChange();
    await bench.pass(5_000);
    expect(bench.log.about('a change is held')).toHaveLength(1);
    bench.fill();
    await bench.pass(400);
    expect(bench.log.about('the hold is over')).toHaveLength(1);
    expect(bench.services).toEqual(SERVICES);
  });

  it('releases the revision that is approved', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(400);
    const revision = bench.intake.view().hold?.revision ?? '';
    expect(revision).toMatch(/^sha256:/);
    bench.store.put(`config/approvals/${revision}`, { by: 'ana', why: 'they are gone for good' });
    await bench.pass(400);
    expect(bench.intake.view().problems).toEqual([]);
    expect(bench.held).toBeNull();
    expect(bench.services).toEqual(without('s0', 's1', 's2', 's3'));
    expect(bench.intake.accepted()?.revision).toBe(revision);
  });

  it('does not release another revision than the approved one', async () => {
    const bench = await new Bench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(400);
    const revision = bench.intake.view().hold?.revision ?? '';
    await bench.lose('s4');
    bench.store.put(`config/approvals/${revision}`, { by: 'ana', why: 'four of them' });
    await bench.pass(5_000);
    expect(bench.held).toHaveLength(5);
    expect(bench.services).toEqual(SERVICES);
  });
});

describe('a store that is away', () => {
  it('keeps what is in force and tells why, once, while it asks again and again', async () => {
    const bench = await new Bench().fill().start();
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

  it('puts the last known good into force after the wait, not before', async () => {
    const before = await new Bench().fill().start();
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
    const before = await new Bench().fill().start();
    const after = await restarted(before);
    await after.start();
    expect(after.intake.view().origin).toBe('store');
    await after.pass(60_000);
    expect(after.intake.view().origin).toBe('store');
    expect(after.log.about('last known good')).toEqual([]);
  });

  it('gives way to a store that comes later', async () => {
    const before = await new Bench().fill().start();
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
    const bench = new Bench().fill();
    bench.store.setReachable(false);
    await bench.start();
    await bench.pass(86_400_000);
    expect(bench.intake.accepted()).toBeNull();
    expect(bench.intake.view().failure).toMatch(/STORE_UNREACHABLE/);
  });

  it('says how old the accepted set is by when the store last confirmed it, not by the last edit', async () => {
    const bench = await new Bench().fill().start();
    await bench.pass(3_600_000);
    const lostAt = bench.clock.now();
    bench.store.setReachable(false);
    await bench.pass(10_000);
    expect(bench.intake.view().confirmedAt).toBe(lostAt);
    await bench.intake.stop();
    expect(bench.file.load()?.confirmedAt).toBe(lostAt);
  });

  it('notes at its stop that the store stood by it until then', async () => {
    const bench = await new Bench().fill().start();
    bench.source.notifyState();
    await bench.pass(3_600_000);
    await bench.intake.stop();
    expect(bench.file.load()?.confirmedAt).toBe(bench.clock.now());
  });
});

describe('what a restart remembers', () => {
  it('measures the store against the last known good even if the store is up', async () => {
    const before = await new Bench().fill().start();
    const after = await restarted(before);
    for (const name of ['s0', 's1', 's2', 's3']) after.store.remove(`config/services/${name}`);
    await after.start();
    await after.pass(5_000);
    expect(after.services).toEqual(SERVICES);
    expect(after.held).toHaveLength(4);
  });

  it('holds a store that comes back empty, also one without its root', async () => {
    for (const rootExists of [true, false]) {
      const before = await new Bench().fill().start();
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
    const before = await new Bench().fill().start();
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
    const before = await new Bench().fill().start();
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
    const bench = await new Bench().fill().start();
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
    const bench = await new Bench().fill().start();
    await bench.lose('s0');
    await bench.intake.stop();
    expect(bench.clock.pendingTimers).toBe(0);
  });
});
