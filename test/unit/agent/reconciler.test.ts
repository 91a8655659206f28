import { describe, expect, it, vi } from 'vitest';
import { newCounters } from '../../../src/agent/counters.ts';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import type { SavedHealth } from '../../../src/agent/health-file.ts';
import { emptyMemory } from '../../../src/agent/policy/health-memory.ts';
import { HostAdvice } from '../../../src/agent/host-advice.ts';
import { JournalFile } from '../../../src/agent/journal-file.ts';
import { KernelDriver } from '../../../src/agent/kernel-driver.ts';
import { Reconciler } from '../../../src/agent/reconciler.ts';
import { RouteDriver } from '../../../src/agent/route-driver.ts';
import { SettingsDriver } from '../../../src/agent/settings-driver.ts';
import { SettingsFile } from '../../../src/agent/settings-file.ts';
import { prepare } from '../../../src/agent/policy/prepared.ts';
import { wantedChecks } from '../../../src/agent/policy/wanted-checks.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { ok } from '../../../src/core/result.ts';
import { address } from '../../fakes/bgp-settings.ts';
import { configuration, ports, real, service, vip } from '../../fakes/configurations.ts';
import { HostKernel } from '../../fakes/host-kernel.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { RecordingSpeaker } from '../../fakes/recording-speaker.ts';
import { ScriptedRunner } from '../../fakes/scripted-runner.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const WEB = 'tcp|192.0.2.10|80';
const A = real('a', '10.0.0.1');
const B = real('b', '10.0.0.2');
const UP: Readonly<Record<string, VerdictState>> = { '10.0.0.1': 'up', '10.0.0.2': 'up' };
const DOWN: Readonly<Record<string, VerdictState>> = { '10.0.0.1': 'down', '10.0.0.2': 'down' };
const WANTED = onIpvs([service('web', [A, B])]);
const EPERM = new CodedError('NETLINK_REFUSED', 'EPERM');

function onIpvs(...args: Parameters<typeof configuration>): Desired {
  const desired = configuration(...args);
  return { ...desired, agent: { ...desired.agent, dataplane: 'ipvs' } };
}

class Bench {
  readonly events: string[] = [];
  readonly clock = new ManualClock();
  readonly log = new RecordingLog();
  readonly counters = newCounters();
  readonly speaker = new RecordingSpeaker(this.events);
  readonly checks = new ScriptedRunner(this.clock);
  readonly host: HostKernel;
  readonly reconciler: Reconciler;
  accepted: Desired | null = WANTED;

  constructor(options: { readonly schedulers?: readonly string[]; readonly savedHealth?: SavedHealth } = {}) {
    const { clock, log, counters, events, speaker, checks } = this;
    this.host = new HostKernel({ events, ...options });
    const journalFile = new JournalFile(tempDir(), { clock, log });
    const settingsFile = new SettingsFile(tempDir(), { clock, log });
    this.reconciler = new Reconciler({
      accepted: () => this.accepted,
      kernel: new KernelDriver({ open: this.host.open, journalFile, counters, clock, log }),
      settings: new SettingsDriver({ open: this.host.openSettings, file: settingsFile, counters, clock, log }),
      advice: new HostAdvice({ sysctls: { read: () => null }, clock }),
      routes: new RouteDriver({ speaker, log }),
      checks,
      savedHealth: options.savedHealth ?? null,
      bgp: { routerId: address('10.1.0.2'), restarting: false, resolveSecret: (reference) => ok(reference) },
      counters,
      clock,
      random: () => 0,
      log,
    });
  }

  /** One configuration, all of it in force, and nothing in `events`. */
  async settled(verdicts = UP): Promise<this> {
    this.checks.find(verdicts);
    await this.poke();
    this.events.length = 0;
    return this;
  }

  async poke(): Promise<void> {
    this.reconciler.poke();
    await this.pass(0);
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await this.clock.advanceAsync(0);
    await this.clock.advanceAsync(0);
  }

  async want(desired: Desired): Promise<void> {
    this.accepted = desired;
    await this.poke();
  }

  take(): string[] {
    return this.events.splice(0);
  }

  advertised(name = 'shop') {
    return this.reconciler.view()?.vips.get(name);
  }
}

describe('the order of a pass', () => {
  it('on the way up is address, service, reals, route', async () => {
    const bench = new Bench();
    bench.checks.find(UP);
    await bench.poke();
    expect(bench.take()).toEqual([
      'add address lo 192.0.2.10',
      `add ${WEB}`,
      `add ${WEB} 10.0.0.1|80 10`,
      `add ${WEB} 10.0.0.2|80 10`,
      'routes 192.0.2.10',
      'flushed',
      'end of RIB',
    ]);
    expect(bench.reconciler.view()?.complete).toBe(true);
  });

  it('on the way down is route, flush, reals', async () => {
    const bench = await new Bench().settled();
    bench.speaker.holdFlushes();
    bench.checks.find(DOWN);
    await bench.pass(0);
    expect(bench.take()).toEqual(['routes']);
    bench.speaker.letFlush();
    await bench.pass(0);
    expect(bench.take()).toEqual(['flushed', `edit ${WEB} 10.0.0.1|80 0`, `edit ${WEB} 10.0.0.2|80 0`]);
  });

  it('for a service that is deleted is route, weights, service, address', async () => {
    const bench = await new Bench().settled();
    await bench.want(onIpvs([], { vips: [] }));
    await bench.pass(1_000);
    expect(bench.take()).toEqual([
      'routes',
      'flushed',
      `edit ${WEB} 10.0.0.1|80 0`,
      `edit ${WEB} 10.0.0.2|80 0`,
      `delete ${WEB}`,
      'delete address lo 192.0.2.10',
    ]);
  });

  it('does nothing before there is a configuration', async () => {
    const bench = new Bench();
    bench.accepted = null;
    await bench.poke();
    expect(bench.counters.passes).toBe(0);
    expect(bench.host.opened).toEqual([]);
    expect(bench.speaker.configured).toEqual([]);
    expect(bench.reconciler.view()).toBeNull();
  });
});

describe('a pass without change', () => {
  it('sends nothing, and reads nothing until the verify interval is over', async () => {
    const bench = await new Bench().settled();
    const reads = bench.host.reads;
    for (let pokes = 0; pokes < 50; pokes++) {
      await bench.poke();
      await bench.pass(1_000);
    }
    expect(bench.host.reads).toBe(reads);
    await bench.pass(10_000);
    expect(bench.host.reads).toBe(reads + 1);
    expect(bench.take()).toEqual([]);
    expect(bench.speaker.configured).toHaveLength(1);
    expect(bench.checks.wantedSets).toHaveLength(1);
  });

  it('comes by itself once in a verify interval', async () => {
    const bench = await new Bench().settled();
    const { passes } = bench.counters;
    await bench.pass(600_000);
    expect(bench.counters.passes - passes).toBe(10);
  });

  it('is one pass for any number of verdicts at once', async () => {
    const bench = await new Bench().settled();
    const { passes } = bench.counters;
    for (let flaps = 0; flaps < 100; flaps++) bench.checks.find({ '10.0.0.1': flaps % 2 === 0 ? 'down' : 'up' });
    await bench.pass(0);
    expect(bench.counters.passes - passes).toBeLessThanOrEqual(2);
    expect(bench.take()).toEqual([]);
  });
});

describe('what is announced', () => {
  it('is not what the kernel has refused, but all the rest', async () => {
    const bench = new Bench({ schedulers: ['wlc'] });
    bench.checks.find(UP);
    const vips = [vip('shop', ['192.0.2.10']), vip('odd', ['192.0.2.20'])];
    const odd = service('odd', [B], { vip: 'odd', scheduler: 'mh' });
    await bench.want(onIpvs([service('web', [A]), odd], { vips }));
    expect(bench.speaker.announced).toEqual(['192.0.2.10']);
    expect(bench.reconciler.view()?.complete).toBe(false);
    expect(bench.advertised('shop')?.advertised).toBe(true);
    expect(bench.advertised('odd')).toMatchObject({ advertised: false, reason: /not in force/ });
    // The next attempts fail as well, and take nothing away from the other.
    await bench.pass(60_000);
    expect(bench.speaker.announced).toEqual(['192.0.2.10']);
  });

  it('is nothing whose address could not be put on its interface', async () => {
    const bench = new Bench();
    bench.host.disturbAddress = () => 'ENODEV';
    bench.checks.find(UP);
    await bench.poke();
    expect(bench.speaker.announced).toEqual([]);
    expect(bench.advertised()).toMatchObject({ advertised: false, reason: '192.0.2.10 is not on lo' });
    bench.host.disturbAddress = () => null;
    await bench.pass(1_000);
    expect(bench.speaker.announced).toEqual(['192.0.2.10']);
  });

  it('stays while the kernel cannot be read, less what must go', async () => {
    const bench = new Bench();
    bench.checks.find(UP);
    const vips = [vip('shop', ['192.0.2.10']), vip('other', ['192.0.2.20'])];
    const services = [service('web', [A]), service('other', [B], { vip: 'other' })];
    await bench.want(onIpvs(services, { vips }));
    expect(bench.speaker.announced).toEqual(['192.0.2.10', '192.0.2.20']);
    bench.host.unreadable = EPERM;
    await bench.pass(60_000);
    expect(bench.speaker.announced).toEqual(['192.0.2.10', '192.0.2.20']);
    expect(bench.advertised()?.advertised).toBe(true);
    bench.checks.find({ '10.0.0.2': 'down' });
    await bench.pass(0);
    expect(bench.speaker.announced).toEqual(['192.0.2.10']);
    expect(bench.advertised('other')?.advertised).toBe(false);
  });

  it('is nothing new while the kernel cannot be read, and nobody claims so', async () => {
    const bench = new Bench();
    bench.host.unreadable = EPERM;
    bench.checks.find(UP);
    await bench.poke();
    expect(bench.speaker.announced).toEqual([]);
    expect(bench.advertised()).toMatchObject({
      advertised: false,
      reason: 'the kernel cannot be read',
      addresses: [{ address: '192.0.2.10', advertised: false }],
    });
  });
});

describe('a failure', () => {
  it('is tried again, less and less often, at most every 30 s', async () => {
    const bench = new Bench();
    bench.host.unreadable = EPERM;
    await bench.poke();
    const attempts: number[] = [];
    let last = bench.host.reads;
    while (bench.clock.monotonic() < 120_000) {
      await bench.pass(500);
      if (bench.host.reads > last) attempts.push(bench.clock.monotonic());
      last = bench.host.reads;
    }
    expect(attempts.slice(0, 3)).toEqual([500, 1_500, 2_500]);
    const gaps = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
    expect(Math.max(...gaps)).toBe(30_000);
    bench.host.unreadable = null;
    await bench.pass(30_000);
    expect(bench.reconciler.view()?.complete).toBe(true);
  });

  it('of the pass itself is told and outlived', async () => {
    const bench = await new Bench().settled();
    let told = 0;
    bench.reconciler.onPass(() => {
      told++;
    });
    const verdicts = vi.spyOn(bench.checks, 'verdicts').mockImplementation(() => {
      throw new Error('a defect');
    });
    await bench.poke();
    expect(bench.reconciler.failure()).toBe('a defect');
    expect(told).toBe(1);
    verdicts.mockRestore();
    await bench.pass(500);
    expect(bench.reconciler.failure()).toBeNull();
  });
});

describe('what leaves', () => {
  it('is looked at each second, and deleted when its connections end', async () => {
    const bench = await new Bench().settled();
    bench.host.connections.set(`${WEB} 10.0.0.2|80`, 2);
    const { reads, narrowReads } = bench.host;
    await bench.want(onIpvs([service('web', [A])]));
    expect(bench.take()).toEqual([`edit ${WEB} 10.0.0.2|80 0`]);
    await bench.pass(10_000);
    expect(bench.host.reads).toBe(reads);
    expect(narrowReads).toEqual(Array.from({ length: 10 }, () => [WEB]));
    bench.host.connections.clear();
    await bench.pass(1_000);
    expect(bench.take()).toEqual([`delete ${WEB} 10.0.0.2|80`]);
    await bench.pass(1_000);
    const quiet = narrowReads.length;
    await bench.pass(30_000);
    expect([bench.host.reads, narrowReads.length]).toEqual([reads, quiet]);
  });
});

describe('End-of-RIB', () => {
  it('waits for the first verdicts', async () => {
    const bench = new Bench();
    await bench.poke();
    await bench.pass(5_000);
    expect(bench.speaker.endOfRibReleased).toBe(false);
    bench.checks.find(UP);
    await bench.pass(0);
    expect(bench.take().slice(-3)).toEqual(['routes 192.0.2.10', 'flushed', 'end of RIB']);
  });

  it('waits no longer than 15 s', async () => {
    const bench = new Bench();
    await bench.poke();
    await bench.pass(14_900);
    expect(bench.speaker.endOfRibReleased).toBe(false);
    await bench.pass(200);
    expect(bench.speaker.endOfRibReleased).toBe(true);
  });

  it('counts from the first configuration, for before it no check could have run', async () => {
    const bench = new Bench();
    bench.accepted = null;
    await bench.poke();
    await bench.pass(60_000);
    await bench.want(WANTED);
    await bench.pass(10_000);
    expect(bench.speaker.endOfRibReleased).toBe(false);
    await bench.pass(5_100);
    expect(bench.speaker.endOfRibReleased).toBe(true);
  });
});

describe('what is handed on', () => {
  it('are settings, when they change', async () => {
    const bench = await new Bench().settled();
    const { agent } = WANTED;
    const bgp = agent.bgp === null ? null : { ...agent.bgp, asn: 65_011 };
    await bench.want({ ...WANTED, agent: { ...agent, bgp } });
    expect(bench.speaker.configured.map((each) => each?.asn)).toEqual([65_010, 65_011]);
    await bench.want({ ...WANTED, agent: { ...agent, bgp: null } });
    expect(bench.speaker.settings).toBeNull();
    expect(bench.speaker.announced).toEqual([]);
  });

  it('are the checks of what is accepted, when that changes', async () => {
    const bench = await new Bench().settled();
    await bench.want(onIpvs([service('web', [A])]));
    expect(bench.checks.wantedSets).toEqual([['10.0.0.1', '10.0.0.2'], ['10.0.0.1']]);
  });

  it('are the verdicts of the run before, once', async () => {
    const verdict = { state: 'up', since: 1, cause: 'it was up', latencyMs: 1, at: 1 } as const;
    const verdicts = new Map(wantedChecks(prepare(WANTED)).map(({ key }) => [key, verdict]));
    const bench = new Bench({ savedHealth: { verdicts, memory: emptyMemory } });
    await bench.poke();
    expect(bench.speaker.announced).toEqual(['192.0.2.10']);
    expect(bench.reconciler.view()?.effective.services.get('web')?.reals.get('a')?.verdict.cause).toContain(
      'it was up',
    );
    bench.checks.restored = undefined;
    await bench.want(onIpvs([service('web', [A], { match: ports(80, 81) })]));
    expect(bench.checks.restored).toBeUndefined();
  });
});

describe('a stop', () => {
  it('lets the pass under way finish, starts none, and leaves no timer behind', async () => {
    const bench = await new Bench().settled();
    bench.speaker.holdFlushes();
    bench.checks.find(DOWN);
    await bench.pass(0);
    let over = false;
    const stopped = bench.reconciler.stop().then(() => {
      over = true;
    });
    await bench.pass(0);
    expect(over).toBe(false);
    bench.speaker.letFlush();
    await stopped;
    bench.take();
    bench.checks.find(UP);
    await bench.poke();
    expect(bench.take()).toEqual([]);
    expect(bench.clock.pendingTimers).toBe(0);
  });
});
