import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Desired, DesiredService, DesiredVip } from '../../../src/agent/policy/desired-state.ts';
import { ok } from '../../../src/core/result.ts';
import { AgentWorld, SHOP_WITH_BGP } from '../../fakes/agent-world.ts';
import { configuration, real, service, vip } from '../../fakes/configurations.ts';
import { HostKernel } from '../../fakes/host-kernel.ts';
import { KernelBench } from '../../fakes/kernel-bench.ts';
import { runs } from '../../fakes/property.ts';
import type { StoreContent } from '../../fakes/records.ts';
import { DRAIN_MS as DIRECTOR_DRAIN_MS, Director } from '../../lab/director.ts';

/* A kernel service by mark stays the same when its record goes to another VIP; what changes is where its packets come. */

const MARK = 'fwmark|ipv4|7';
const A = `${MARK} 10.0.0.1|80`;
const VIPS = [vip('old', ['192.0.2.10']), vip('new', ['192.0.2.20'])];
const DRAIN_MS = 300_000;
const marked = (on: string, fields: Partial<DesiredService> = {}): DesiredService =>
  service('web', [real('a', '10.0.0.1', { port: 80 })], {
    vip: on,
    match: { kind: 'fwmark', fwmark: 7, families: ['ipv4'] },
    ...fields,
  });
/** As `desired` has it: VIPs without a service are not there. */
function wanted(...services: readonly DesiredService[]): Desired {
  return wantedOn(VIPS, ...services);
}

function wantedOn(vips: readonly DesiredVip[], ...services: readonly DesiredService[]): Desired {
  return configuration(services, { vips: vips.filter(({ name }) => services.some((each) => each.vip === name)) });
}

const WITH_MARK: DesiredService['match'] = {
  kind: 'fwmark',
  fwmark: 7,
  families: ['ipv4'],
  mark: { ports: [{ first: 80, last: 80 }], protocols: ['tcp'] },
};

/** The packets that are marked, "7 192.0.2.10". */
function marksOf(bench: KernelBench): () => readonly string[] {
  let told: readonly string[] = [];
  bench.host.marks = {
    apply: (marks) => {
      told = marks.map(({ fwmark, address }) => `${fwmark} ${address}`);
      return Promise.resolve(ok(false));
    },
  };
  return () => told;
}

async function after(bench: KernelBench, ms: number, desired: Desired): Promise<readonly string[]> {
  bench.clock.advance(ms);
  bench.host.take();
  expect(await bench.pass(desired)).toBe(true);
  return bench.host.take();
}

describe('the address of the VIP that a service by mark has left', () => {
  it('stays for the drain time, and the kernel service is not touched', async () => {
    const bench = new KernelBench();
    await bench.pass(wanted(marked('old')));
    const moved = wanted(marked('new'));
    expect(await after(bench, 1_000, moved)).toEqual(['add address lo 192.0.2.20']);
    const until = bench.clock.now() + DRAIN_MS;
    expect(bench.driver.report().leavingAddresses).toEqual([{ interface: 'lo', address: '192.0.2.10', until }]);
    expect(bench.driver.nextChangeMs()).toBe(DRAIN_MS);
    expect(await after(bench, DRAIN_MS - 1, moved)).toEqual([]);
    expect(bench.driver.nextChangeMs()).toBe(1);
    expect(await after(bench, 1, moved)).toEqual(['delete address lo 192.0.2.10']);
    await bench.pass(moved);
    expect([bench.driver.report().leavingAddresses, bench.driver.nextChangeMs()]).toEqual([[], null]);
  });

  it('is any that its VIP has no more, in the families of the mark only', async () => {
    const bench = new KernelBench();
    await bench.pass(wantedOn([vip('old', ['192.0.2.10', '192.0.2.11', '2001:db8::10'])], marked('old')));
    const fewer = wantedOn([vip('old', ['192.0.2.11'])], marked('old'));
    expect(await after(bench, 0, fewer)).toEqual(['delete address lo 2001:db8::10']);
    expect(await after(bench, DRAIN_MS, fewer)).toEqual(['delete address lo 192.0.2.10']);
  });

  it('has the time that the record of the service gives, as it is now', async () => {
    const bench = new KernelBench();
    const withTime = (on: string, timeoutMs: number) => wanted(marked(on, { drain: { overMs: 0, timeoutMs } }));
    await bench.pass(withTime('old', 10_000));
    await after(bench, 1, withTime('new', 10_000));
    expect(await after(bench, 10_000, withTime('new', 20_000))).toEqual([]);
    expect(await after(bench, 9_999, withTime('new', 20_000))).toEqual([]);
    expect(await after(bench, 1, withTime('new', 20_000))).toEqual(['delete address lo 192.0.2.10']);
  });

  it('has it over a restart, and has no more when the clock was set back', async () => {
    const first = new KernelBench();
    await first.pass(wanted(marked('old')));
    const moved = wanted(marked('new'));
    await after(first, 0, moved);
    const second = new KernelBench(first.host, first.dir);
    expect(await after(second, 200_000, moved)).toEqual([]);
    expect(second.driver.nextChangeMs()).toBe(100_000);
    expect(await after(second, 100_000, moved)).toEqual(['delete address lo 192.0.2.10']);

    const third = new KernelBench(first.host, first.dir);
    await third.pass(wanted(marked('old')));
    await after(third, 1_000_000, moved);
    const fourth = new KernelBench(first.host, first.dir);
    expect(await after(fourth, 0, moved)).toEqual([]);
    expect(fourth.driver.nextChangeMs()).toBe(DRAIN_MS);
  });

  it('is wanted again as if nothing had been', async () => {
    const bench = new KernelBench();
    await bench.pass(wanted(marked('old')));
    await after(bench, 0, wanted(marked('new')));
    expect(await after(bench, 200_000, wanted(marked('old')))).toEqual([]);
    expect(await after(bench, DRAIN_MS, wanted(marked('old')))).toEqual(['delete address lo 192.0.2.20']);
    expect(await after(bench, 0, wanted(marked('new')))).toEqual(['add address lo 192.0.2.20']);
    expect(await after(bench, DRAIN_MS - 1, wanted(marked('new')))).toEqual([]);
  });

  it('also has it when another service had kept it there meanwhile', async () => {
    const bench = new KernelBench();
    const other = (state: 'enabled' | 'disabled') =>
      service('other', [], { vip: 'old', state, match: { kind: 'ports', ports: [], protocols: ['tcp'] } });
    await bench.pass(wanted(marked('old'), other('enabled')));
    await after(bench, 0, wanted(marked('new'), other('enabled')));
    expect(await after(bench, 100_000, wanted(marked('new')))).toEqual([]);
    expect(bench.driver.nextChangeMs()).toBe(200_000);
    expect(await after(bench, 200_000, wanted(marked('new')))).toEqual(['delete address lo 192.0.2.10']);
  });

  it('is any that its VIP still has, but not on an interface of ours, for as long as the service is there', async () => {
    const bench = new KernelBench();
    const on = (name: string | null) => wantedOn([{ ...vip('old', ['192.0.2.10']), interface: name }], marked('old'));
    await bench.pass(on('lo'));
    expect(await after(bench, 0, on(null))).toEqual([]);
    expect(await after(bench, DRAIN_MS, on(null))).toEqual([]);
    const places = [{ interface: 'lo', address: '192.0.2.10', until: null }];
    expect([bench.driver.report().leavingAddresses, bench.driver.nextChangeMs()]).toEqual([places, null]);
    expect(await after(bench, 0, on('lo'))).toEqual([]);
  });

  it.each<[string, string, number | null]>([
    ['another service by mark keeps it there', 'old', null],
    ['another service by mark, which moves as well, takes longer', 'new', DRAIN_MS - 10_000],
  ])('is marked for no longer than its time, though %s', async (_, on, next) => {
    const bench = new KernelBench();
    const told = marksOf(bench);
    const web = (vipName: string) => marked(vipName, { match: WITH_MARK, drain: { overMs: 0, timeoutMs: 10_000 } });
    // The operator's rules set the mark of this one.
    const other = (vipName: string) =>
      service('other', [], { vip: vipName, match: { kind: 'fwmark', fwmark: 8, families: ['ipv4'] } });
    // Without another reading of the kernel.
    const pass = async (desired: Desired, afterMs: number) => {
      bench.clock.advance(afterMs);
      await bench.pass(desired, Infinity);
      return [told(), bench.driver.nextChangeMs()];
    };
    await pass(wanted(web('old'), other('old')), 0);
    const moved = wanted(web('new'), other(on));
    expect(await pass(moved, 0)).toEqual([['7 192.0.2.10', '7 192.0.2.20'], 10_000]);
    const until = bench.clock.now() + DRAIN_MS;
    const leaving = on === 'old' ? [] : [{ interface: 'lo', address: '192.0.2.10', until }];
    expect(bench.driver.report().leavingAddresses).toEqual(leaving);
    expect(await pass(moved, 9_999)).toEqual([['7 192.0.2.10', '7 192.0.2.20'], 1]);
    expect(await pass(moved, 1)).toEqual([['7 192.0.2.20'], next]);
    expect(await bench.host.addresses()).toContain('lo 192.0.2.10');
  });

  it('is neither kept nor marked where somebody else has put it', async () => {
    const bench = new KernelBench();
    const told = marksOf(bench);
    const vips = VIPS.map((each) => ({ ...each, interface: null }));
    await bench.pass(wantedOn(vips, marked('old', { match: WITH_MARK })));
    expect(told()).toEqual(['7 192.0.2.10']);
    await bench.pass(wantedOn(vips, marked('new', { match: WITH_MARK })));
    expect([told(), bench.driver.report().leavingAddresses]).toEqual([['7 192.0.2.20'], []]);
  });

  it('goes with the kernel service, when that leaves before its time', async () => {
    const bench = new KernelBench();
    await bench.pass(wanted(marked('old')));
    await after(bench, 0, wanted(marked('new')));
    bench.host.connections.set(A, 1);
    expect(await after(bench, 1_000, wanted())).toEqual([`edit ${A} 0`]);
    const places = ['192.0.2.10', '192.0.2.20'].map((one) => ({ interface: 'lo', address: one, until: null }));
    expect(bench.driver.report().leavingAddresses).toEqual(expect.arrayContaining(places));
    bench.host.connections.clear();
    const gone = await after(bench, 60_000, wanted());
    expect(gone.toSorted()).toEqual(['delete address lo 192.0.2.10', 'delete address lo 192.0.2.20', `delete ${MARK}`]);
  });

  it('goes at once where nothing may linger', async () => {
    const bench = new KernelBench();
    await bench.pass(wanted(marked('old')));
    await after(bench, 0, wanted(marked('new')));
    await bench.driver.flush();
    expect(await bench.host.addresses()).toEqual([]);
  });
});

describe('the move of a service by mark to another VIP', () => {
  it('is route, address, marks, route, and the old address later, though the agent crashes meanwhile', async () => {
    const on = (name: string) => ({
      vip: name,
      match: { fwmark: 7, mark: { ports: ['80'] } },
      checks: ['ok'],
      drain: { timeout: '90s' },
    });
    const world = new AgentWorld({
      ...SHOP_WITH_BGP,
      'vips/next': { addresses: ['192.0.2.20'] },
      'services/web': on('shop'),
      'services/web/reals/a': { address: '10.0.0.1', port: 80 },
      'services/web/reals/b': { address: '10.0.0.2', port: 80 },
      'services/web/reals/c': { address: '10.0.0.3', port: 80 },
    });
    let told = '';
    world.host.marks = {
      apply: (marks, leaving) => {
        const text = [...marks.map((each) => each.address), ...leaving].join(' ');
        if (text !== told) world.events.push(`marks ${text}`);
        told = text;
        return Promise.resolve(ok(false));
      },
    };
    const first = await world.start();
    world.take();
    world.put('services/web', on('next'));
    await world.pass(2_000);
    expect(world.take()).toEqual([
      'routes',
      'flushed',
      'add address lo 192.0.2.20',
      'marks 192.0.2.10 192.0.2.20',
      'routes 192.0.2.20',
      'flushed',
    ]);
    const [leaving] = first.status().kernel.leavingAddresses;
    expect(leaving).toMatchObject({ interface: 'lo', address: '192.0.2.10' });
    await world.kill(first);
    const second = await world.start();
    expect(second.status().kernel.leavingAddresses).toEqual([leaving]);
    world.take();
    const left = Date.parse(leaving?.until ?? '') - world.clock.now();
    expect(left).toBeGreaterThan(80_000);
    await world.pass(left - 1);
    expect(world.take()).toEqual([]);
    await world.pass(2);
    expect(world.take()).toEqual(['delete address lo 192.0.2.10', 'marks 192.0.2.20']);
    expect(second.status()).toMatchObject({ ready: true, kernel: { leavingAddresses: [] } });
  });
});

describe('addresses of services by mark, over any sequence of moves, waits and restarts', () => {
  const ADDRESSES = { old: '192.0.2.10', next: '192.0.2.20' };
  const stepArbitrary = fc.record({
    on: fc.constantFrom<('old' | 'next' | null)[]>('old', 'next', null),
    seconds: fc.constantFrom(null, 10, 90),
    waitMs: fc.constantFrom(0, 1_000, 12_000, 50_000),
    restart: fc.boolean(),
  });

  function recordsOf(on: string | null, seconds: number | null): StoreContent {
    if (on === null) return {};
    const drain = seconds === null ? {} : { timeout: `${seconds}s` };
    return {
      ...Object.fromEntries(Object.entries(ADDRESSES).map(([name, one]) => [`vips/${name}`, { addresses: [one] }])),
      'services/web': { vip: on, match: { fwmark: 7 }, drain },
      'services/web/reals/a': { address: '10.0.0.1', port: 80 },
    };
  }

  it('are there while they are wanted and for the drain time after, and then not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 10 }), async (steps) => {
        const host = new HostKernel();
        host.connections.set(A, 1);
        const { dataplane, addresses } = await host.open('ipvs');
        const director = new Director(dataplane, addresses);
        let now = 0;
        /** By VIP: when the service left it. */
        const left = new Map<string, number>();
        let before: string | null = null;
        let wasThere = false;
        for (const { on, seconds, waitMs, restart } of steps) {
          if (restart) director.restart();
          director.wait(waitMs);
          now += waitMs;
          await director.pass(recordsOf(on, seconds));
          if (on !== before && before !== null) left.set(before, now);
          before = on;
          const held = new Set(await host.addresses());
          const isThere = Object.keys(await host.table()).length > 0;
          for (const [name, address] of Object.entries(ADDRESSES)) {
            const is = held.has(`lo ${address}`);
            const time = seconds === null ? DIRECTOR_DRAIN_MS : seconds * 1_000;
            if (on === name) expect([name, is]).toEqual([name, true]);
            else if (on !== null && wasThere) {
              expect([name, is]).toEqual([name, now < (left.get(name) ?? -Infinity) + time]);
            }
            if (on === name || (on !== null && !is)) left.delete(name);
          }
          // While the kernel service leaves, whatever it was for stays; after it nothing does.
          if (!isThere) {
            expect([...held]).toEqual([]);
            left.clear();
          }
          wasThere = isThere;
        }
      }),
      runs(100),
    );
  });
});
