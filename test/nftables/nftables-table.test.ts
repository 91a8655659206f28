import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/ports.ts';
import { err, ok } from '../../src/core/result.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { destinationKeyOf, serviceKeyOf } from '../../src/ipvs/dataplane.ts';
import type { DataplaneOp, DataplaneState, ServiceKey } from '../../src/ipvs/dataplane.ts';
import { errnoOf } from '../../src/ipvs/kernel-refusal.ts';
import { KernelTable } from '../../src/ipvs/kernel-table.ts';
import type { TableEntry } from '../../src/ipvs/kernel-table.ts';
import { nftCommand } from '../../src/ipvs/nftables/nft-command.ts';
import { NftablesDataplane } from '../../src/ipvs/nftables/nftables-dataplane.ts';
import type { RunProgram } from '../../src/ipvs/program.ts';
import {
  addReal,
  addService,
  deleteReal,
  deleteService,
  DNS,
  editReal,
  editService,
  match,
  real,
  service,
  WEB,
  WEB6,
} from '../contract/dataplane-samples.ts';
import { runs } from '../fakes/property.ts';
import { runToEnd } from '../lab/process.ts';

const nft = nftCommand(systemClock);
/** What was fed to nft. */
const scripts: string[] = [];
const recorded: RunProgram = (args, input = '') => {
  if (args.includes('--file')) scripts.push(input);
  return nft(args, input);
};
const conntrack = { count: () => Promise.resolve(ok([])) };
const readSetting = (): Promise<string> => Promise.resolve('1');
const dataplane = new NftablesDataplane({ run: recorded, conntrack, readSetting, log: silentLog });

const feed = (...lines: readonly string[]): Promise<string> =>
  runToEnd('nft', ['-f', '-'], { input: lines.join('\n') });
const listed = (): Promise<string> => runToEnd('nft', ['-a', 'list', 'ruleset']);

async function read(): Promise<DataplaneState> {
  const state = await dataplane.read();
  if (!state.ok) throw state.error;
  return state.value;
}

async function apply(...ops: readonly DataplaneOp[]): Promise<void> {
  expect(await dataplane.apply(ops)).toEqual({ applied: ops, failed: [], lost: null });
}

const WEB_OPS = [addService(service(WEB)), addReal(WEB, real('10.0.0.1', 80)), addReal(WEB, real('10.0.0.2', 80))];
const WEB_CHAIN = 'inet vipkeeper svc/tcp/192.0.2.1/80';

describe('the table of nf_tables', () => {
  beforeEach(async () => {
    await feed('flush ruleset');
    scripts.length = 0;
  });

  it('is as nft(8) shows it', async () => {
    const persistence = { timeoutSeconds: 360, prefixLength: 24 };
    await apply(
      addService(service(WEB, { scheduler: 'wrr', persistence })),
      addReal(WEB, real('10.0.0.1', 8080, { weight: 2 })),
      addReal(WEB, real('10.0.0.2', 80, { weight: 0 })),
    );
    const text = await runToEnd('nft', ['-p', 'list', 'table', 'inet', 'vipkeeper']);
    for (const line of [
      'type nat hook prerouting priority dstnat; policy accept;',
      'ip daddr . meta l4proto . th dport vmap { 192.0.2.1 . 6 . 80 : goto svc/tcp/192.0.2.1/80 }',
      'counter name "svc/tcp/192.0.2.1/80" comment "wrr flags 0 persistence 360/24"',
      'ip saddr & 255.255.255.0 == @kept/tcp/192.0.2.1/80/10.0.0.1/8080/360-24 goto real/tcp/192.0.2.1/80/10.0.0.1/8080',
      'counter name "real/tcp/192.0.2.1/80/10.0.0.2/80" comment "weight 0"',
      'meta l4proto 6 dnat ip to 10.0.0.1:8080',
    ]) {
      expect(text).toContain(`\t\t${line}\n`);
    }
  });

  it('is one transaction for a plan, none for what is there already, and gone with the last service', async () => {
    await feed('add table ip theirs', 'add chain ip theirs mine { type nat hook prerouting priority dstnat; }');
    const before = await listed();
    expect((await read()).size).toBe(0);
    await apply(...WEB_OPS);
    expect(scripts).toHaveLength(1);
    const programmed = await listed();
    await apply(editReal(WEB, real('10.0.0.1', 80)), editService(service(WEB)));
    expect(scripts).toHaveLength(1);
    expect(await listed()).toBe(programmed);
    await apply(deleteService(WEB));
    expect(await listed()).toBe(before);
  });

  it('is mended wherever somebody changed it', async () => {
    await apply(...WEB_OPS);
    await feed(`insert rule ${WEB_CHAIN} drop`);
    const altered = (await read()).get(serviceKeyOf(WEB));
    expect([altered?.service.scheduler, altered?.destinations.size]).toEqual(['altered', 2]);
    await apply(editService(service(WEB)));
    await feed('flush chain inet vipkeeper real/tcp/192.0.2.1/80/10.0.0.2/80');
    expect([...((await read()).get(serviceKeyOf(WEB))?.destinations.keys() ?? [])]).toEqual(['10.0.0.1|80']);
    await apply(addReal(WEB, real('10.0.0.2', 80)));
    for (const change of [
      'flush chain inet vipkeeper dispatch',
      'flush chain inet vipkeeper output',
      'flush ruleset',
    ]) {
      await feed(change);
      expect((await read()).size).toBe(0);
      await apply(...WEB_OPS);
    }
    const state = await read();
    expect(state.get(serviceKeyOf(WEB))?.service).toEqual(service(WEB));
    expect(state.get(serviceKeyOf(WEB))?.destinations.size).toBe(2);
  });

  it('takes the rest of a plan when the kernel refuses one service', async () => {
    await apply(...WEB_OPS, addService(service(DNS)));
    // A rule that leads to the real keeps its chain from being deleted.
    const chain = 'inet vipkeeper theirs';
    await feed(`add chain ${chain}`, `add rule ${chain} jump real/tcp/192.0.2.1/80/10.0.0.1/80`);
    const busy = deleteReal(WEB, '10.0.0.1', 80);
    const good = [addReal(DNS, real('10.0.0.3', 53)), addService(service(WEB6))];
    const report = await dataplane.apply([busy, ...good]);
    expect([report.applied, report.lost]).toEqual([good, null]);
    expect(report.failed.map(({ op, error }) => [op, errnoOf(error)])).toEqual([[busy, 'EBUSY']]);
    expect(report.failed[0]?.error.message).toContain('real 10.0.0.1:80 of tcp 192.0.2.1:80');
  });

  it('says what is missing when it cannot be reached', async () => {
    const without = new NftablesDataplane({
      run: nftCommand(systemClock, 'nft-gone'),
      conntrack,
      readSetting,
      log: silentLog,
    });
    const state = await without.read();
    expect(state.ok ? null : state.error.message).toContain('install nftables, or choose another dataplane');
    const { lost, applied } = await without.apply(WEB_OPS);
    expect([applied, lost?.code]).toEqual([[], 'NFT_FAILED']);
  });

  it('keeps what leaves until its deadline where connections cannot be counted', async () => {
    await apply(...WEB_OPS);
    for (const answer of [ok(null), err(new CodedError('NETLINK_LOST', 'no answer'))]) {
      const count = () => Promise.resolve(answer);
      const blind = new NftablesDataplane({ run: nft, conntrack: { count }, readSetting, log: silentLog });
      const state = await blind.read();
      const activity = state.ok && state.value.get(serviceKeyOf(WEB))?.destinations.values().next().value?.activity;
      expect(activity).toMatchObject({ activeConnections: 1 });
    }
  });

  it('comes to whatever is wanted next, in one transaction', async () => {
    const ports = [80, 443, 0];
    const weight = fc.integer({ min: 0, max: 300 });
    const persistence = fc.option(
      fc.record({ timeoutSeconds: fc.constantFrom(5, 60), prefixLength: fc.constantFrom(24, 32) }),
    );
    const wantedService = fc.record({
      scheduler: fc.constantFrom('rr', 'wrr', 'wlc', 'lc', 'sh', 'fo'),
      schedulerFlags: fc.integer({ min: 0, max: 3 }),
      persistence,
      reals: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 6 }), weight), {
        selector: ([host]) => host,
        maxLength: 5,
      }),
    });
    const wanted = fc.array(fc.option(wantedService), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(wanted, async (services) => {
        const target = new KernelTable();
        for (const [index, each] of services.entries()) {
          if (each === null) continue;
          const port = ports[index] ?? 0;
          const of = match('tcp', '192.0.2.1', port);
          const kept = each.persistence ?? (port === 0 ? { timeoutSeconds: 9, prefixLength: 32 } : null);
          const { scheduler, schedulerFlags, reals } = each;
          expect(target.carryOut(addService(service(of, { scheduler, schedulerFlags, persistence: kept })))).toBeNull();
          for (const [host, own] of reals) target.carryOut(addReal(of, real(`10.0.0.${host}`, port, { weight: own })));
        }
        const ops = difference(plain(await read()), target.entries);
        scripts.length = 0;
        await apply(...ops);
        expect(scripts.length).toBe(ops.length === 0 ? 0 : 1);
        expect(plain(await read())).toEqual(new Map(target.entries));
      }),
      runs(20),
    );
  });
});

/** A reading without its counters. */
function plain(state: DataplaneState): Map<ServiceKey, TableEntry> {
  return new Map(
    Array.from(state, ([key, { service: each, destinations }]) => [
      key,
      {
        service: each,
        destinations: new Map(Array.from(destinations, ([name, { destination }]) => [name, destination])),
      },
    ]),
  );
}

function difference(from: ReadonlyMap<ServiceKey, TableEntry>, to: ReadonlyMap<ServiceKey, TableEntry>): DataplaneOp[] {
  const ops: DataplaneOp[] = [];
  for (const [key, { service: each, destinations }] of to) {
    const there = from.get(key);
    const same = JSON.stringify(there?.service) === JSON.stringify(each);
    if (!same) ops.push(there === undefined ? addService(each) : editService(each));
    for (const destination of destinations.values()) {
      const old = there?.destinations.get(destinationKeyOf(destination));
      if (old === undefined) ops.push(addReal(each.match, destination));
      else if (old.weight !== destination.weight) ops.push(editReal(each.match, destination));
    }
    for (const [name, { address, port }] of there?.destinations ?? []) {
      if (!destinations.has(name)) ops.push(deleteReal(each.match, address, port));
    }
  }
  for (const [key, { service: each }] of from) if (!to.has(key)) ops.push(deleteService(each.match));
  return ops;
}
