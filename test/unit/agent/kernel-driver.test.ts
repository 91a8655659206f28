import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import type { InterfaceAddress } from '../../../src/ipvs/addresses.ts';
import { address } from '../../fakes/bgp-settings.ts';
import { configuration, ports, real, service, vip } from '../../fakes/configurations.ts';
import { HostKernel } from '../../fakes/host-kernel.ts';
import { KernelBench } from '../../fakes/kernel-bench.ts';
import { opsFor } from '../../fakes/model-kernel.ts';

const WEB = 'tcp|192.0.2.10|80';
const A = real('a', '10.0.0.1');
const B = real('b', '10.0.0.2');
const SHOP = configuration([service('web', [A, B])]);
const NOTHING = configuration([], { vips: [] });

describe('a pass', () => {
  it('brings addresses, then services, then reals', async () => {
    const bench = new KernelBench();
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.host.take()).toEqual([
      'add address lo 192.0.2.10',
      `add ${WEB}`,
      `add ${WEB} 10.0.0.1|80 10`,
      `add ${WEB} 10.0.0.2|80 10`,
    ]);
    expect(bench.counters.operations).toBe(4);
    expect(bench.driver.report()).toMatchObject({ adapter: 'ipvs', lastOps: 4, failures: [] });
  });

  it('takes the address away last, after the service is gone', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    bench.host.take();
    await bench.pass(NOTHING);
    expect(bench.host.take()).toEqual([`edit ${WEB} 10.0.0.1|80 0`, `edit ${WEB} 10.0.0.2|80 0`]);
    bench.clock.advance(1_000);
    await bench.pass(NOTHING, 1_000);
    expect(bench.host.take()).toEqual([`delete ${WEB}`, 'delete address lo 192.0.2.10']);
  });

  it('with nothing to change sends nothing and reads nothing until the picture is too old', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    bench.host.take();
    bench.clock.advance(59_999);
    await bench.pass(SHOP);
    expect(bench.host.reads).toBe(1);
    bench.clock.advance(1);
    await bench.pass(SHOP);
    expect(bench.host.reads).toBe(2);
    expect(bench.host.take()).toEqual([]);
    expect(bench.driver.report().lastOps).toBe(4);
  });

  it('plans against what it did, without reading it again', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    bench.host.take();
    await bench.pass(configuration([service('web', [{ ...A, weight: 3 }, B])]));
    expect(bench.host.take()).toEqual([`edit ${WEB} 10.0.0.1|80 3`]);
    expect(bench.host.reads).toBe(1);
    expect(bench.driver.picture()?.services).toEqual(await bench.host.state());
  });

  it('adopts what is there as it is wanted, and changes nothing', async () => {
    const first = new KernelBench();
    await first.pass(SHOP);
    first.host.take();
    const second = new KernelBench(first.host, first.dir);
    expect(await second.pass(SHOP)).toBe(true);
    expect(first.host.take()).toEqual([]);
  });

  it('never touches a service or an address that is not ours', async () => {
    const foreign: InterfaceAddress = {
      interface: 'lo',
      address: address('192.0.2.10'),
      prefixLength: 32,
      marked: false,
    };
    const host = new HostKernel({ addresses: [foreign] });
    await host.outsider(opsFor({ 'tcp|192.0.2.99|80': { '10.9.9.9|80': 5 } }));
    const bench = new KernelBench(host);
    await bench.pass(SHOP);
    for (let passes = 0; passes < 3; passes++) {
      bench.clock.advance(301_000);
      await bench.pass(NOTHING, 0);
    }
    expect(await host.table()).toEqual({ 'tcp|192.0.2.99|80': '10.9.9.9|80 5' });
    expect(await host.addresses()).toEqual(['lo 192.0.2.10']);
    expect(bench.driver.report().foreign).toEqual(['tcp|192.0.2.99|80']);
  });
});

describe('what leaves', () => {
  it('stays at weight 0 while it has connections, and goes when they end', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    bench.host.connections.set(`${WEB} 10.0.0.2|80`, 7);
    bench.host.take();
    const alone = configuration([service('web', [A])]);
    await bench.pass(alone);
    expect(bench.host.take()).toEqual([`edit ${WEB} 10.0.0.2|80 0`]);
    for (let second = 0; second < 5; second++) {
      bench.clock.advance(1_000);
      await bench.pass(alone, 1_000);
    }
    expect(bench.host.take()).toEqual([]);
    expect(bench.driver.report().leaving).toMatchObject([{ destination: '10.0.0.2|80', real: 'b', weight: 0 }]);
    bench.host.connections.clear();
    bench.clock.advance(1_000);
    await bench.pass(alone, 1_000);
    expect(bench.host.take()).toEqual([`delete ${WEB} 10.0.0.2|80`]);
    await bench.pass(alone, 1_000);
    expect(bench.driver.report().leaving).toEqual([]);
  });

  it('keeps its deadline over a restart', async () => {
    const first = new KernelBench();
    await first.pass(SHOP);
    first.host.connections.set(`${WEB} 10.0.0.2|80`, 7);
    const alone = configuration([service('web', [A])]);
    await first.pass(alone);
    const until = first.driver.report().leaving[0]?.until;
    const second = new KernelBench(first.host, first.dir);
    second.clock.advance(200_000);
    await second.pass(alone);
    expect(second.driver.report().leaving).toMatchObject([{ destination: '10.0.0.2|80', until }]);
    first.host.take();
    second.clock.advance(100_001);
    await second.pass(alone, 1_000);
    expect(first.host.take()).toEqual([`delete ${WEB} 10.0.0.2|80`]);
  });
});

describe('the journal', () => {
  it('is on disk before the first operation', async () => {
    const bench = new KernelBench();
    let seen = '';
    bench.host.disturbAddress = () => {
      seen = readFileSync(join(bench.dir, 'journal.json'), 'utf8');
      return null;
    };
    await bench.pass(SHOP);
    expect(seen).toContain(WEB);
    expect(seen).toContain('lo|192.0.2.10');
  });

  it('that cannot be written keeps the kernel as it is, loudly, until it can', async () => {
    const bench = new KernelBench();
    rmSync(bench.dir, { recursive: true });
    expect(await bench.pass(SHOP)).toBe(false);
    expect(bench.host.take()).toEqual([]);
    expect(bench.failures).toEqual([expect.stringMatching(/^the journal cannot be written: ENOENT/)]);
    mkdirSync(bench.dir);
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.host.take()).toHaveLength(4);
    expect(bench.failures).toEqual([]);
  });

  it('is not written by a dry run, which owns nothing', async () => {
    const host = new HostKernel();
    const bench = new KernelBench(host);
    await bench.pass(SHOP, 60_000, 'memory');
    expect(existsSync(join(bench.dir, 'journal.json'))).toBe(false);
    // The kernel behind the next adapter has such a service, and it was not us who made it.
    await bench.pass(NOTHING, 60_000, 'ipvs');
    expect(Object.keys(await host.table())).toEqual([WEB]);
    expect(bench.driver.report().foreign).toEqual([WEB]);
  });
});

describe('a kernel in trouble', () => {
  it('is said in its own words when it cannot be read', async () => {
    const bench = new KernelBench();
    bench.host.unreadable = new CodedError('NETLINK_REFUSED', 'EPERM, the agent needs CAP_NET_ADMIN');
    expect(await bench.pass(SHOP)).toBe(false);
    expect(await bench.pass(SHOP)).toBe(false);
    expect(bench.failures).toEqual(['NETLINK_REFUSED: EPERM, the agent needs CAP_NET_ADMIN']);
    expect(bench.host.take()).toEqual([]);
    expect(bench.log.about('cannot be read')).toHaveLength(1);
    bench.host.unreadable = null;
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.failures).toEqual([]);
  });

  it('that refuses one operation gets the others, and is read again before the next plan', async () => {
    const bench = new KernelBench();
    bench.host.disturb = (op) =>
      op.kind === 'addDestination' && op.destination.address === A.address ? 'ENOMEM' : null;
    expect(await bench.pass(SHOP)).toBe(false);
    expect(await bench.host.table()).toEqual({ [WEB]: '10.0.0.2|80 10' });
    expect(bench.failures).toEqual([expect.stringMatching(/10\.0\.0\.1:80.*ENOMEM/)]);
    expect(bench.counters).toMatchObject({ operations: 3, refusals: 1 });
    bench.host.disturb = () => null;
    bench.host.take();
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.host.reads).toBe(2);
    expect(bench.host.take()).toEqual([`add ${WEB} 10.0.0.1|80 10`]);
  });

  it('whose answers are lost is read again, and only the rest is sent', async () => {
    const bench = new KernelBench();
    let sent = 0;
    bench.host.disturb = () => (++sent > 2 ? 'lost' : null);
    expect(await bench.pass(SHOP)).toBe(false);
    expect(bench.failures).toEqual(['replies were lost: the answers were lost']);
    bench.host.disturb = () => null;
    bench.host.take();
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.host.take()).toEqual([`add ${WEB} 10.0.0.2|80 10`]);
  });

  it('that has no such interface still gets the service, and the refusal is told', async () => {
    const bench = new KernelBench();
    bench.host.disturbAddress = () => 'ENODEV';
    expect(await bench.pass(SHOP)).toBe(false);
    expect(bench.failures).toEqual([expect.stringMatching(/add address 192\.0\.2\.10 on lo: .*ENODEV/)]);
    expect(Object.keys(await bench.host.table())).toEqual([WEB]);
  });

  it('that cannot be opened is a failure, and is opened as soon as it can be', async () => {
    const bench = new KernelBench();
    bench.host.unopenable = new CodedError('NETLINK_UNAVAILABLE', 'no netlink socket');
    expect(await bench.pass(SHOP)).toBe(false);
    expect(bench.failures).toEqual(['NETLINK_UNAVAILABLE: no netlink socket']);
    bench.host.unopenable = null;
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.failures).toEqual([]);
  });

  it('can be had back after another adapter could not be opened', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    bench.host.unopenable = new CodedError('NETLINK_UNAVAILABLE', 'no such adapter');
    expect(await bench.pass(SHOP, 60_000, 'memory')).toBe(false);
    bench.host.unopenable = null;
    expect(await bench.pass(SHOP)).toBe(true);
    expect(bench.host.opened).toEqual(['ipvs', 'ipvs']);
    expect(bench.host.closed).toBe(1);
  });
});

describe('drift', () => {
  it('is counted, told and mended when somebody deletes our service', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    const { match } = [...(await bench.host.state()).values()][0]?.service ?? {};
    if (match === undefined) throw new Error('there is no service');
    await bench.host.outsider([{ kind: 'deleteService', match }]);
    bench.host.take();
    await bench.pass(SHOP);
    expect(bench.host.take()).toEqual([]);
    bench.clock.advance(60_000);
    await bench.pass(SHOP);
    expect(bench.host.take()).toEqual([`add ${WEB}`, `add ${WEB} 10.0.0.1|80 10`, `add ${WEB} 10.0.0.2|80 10`]);
    const { repairs, repairCounts } = bench.driver.report();
    const found = { kind: 'service-gone', text: 'service tcp 192.0.2.10:80 is gone' };
    expect(repairs).toEqual([{ ...found, at: bench.clock.now() }]);
    expect(Object.fromEntries(repairCounts)).toMatchObject({ 'service-gone': 1, 'real-gone': 0 });
    expect(bench.driver.comparison()).toEqual({ compared: true, differences: [found] });
    expect(bench.log.about('somebody else changed')).toHaveLength(1);
  });

  it('in an address is mended too', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    await bench.host.outsiderAddress({ kind: 'deleteAddress', interface: 'lo', address: address('192.0.2.10') });
    bench.clock.advance(60_000);
    bench.host.take();
    await bench.pass(SHOP);
    expect(bench.host.take()).toEqual(['add address lo 192.0.2.10']);
    const text = 'address 192.0.2.10 on lo is gone';
    expect(bench.driver.report().repairs).toMatchObject([{ kind: 'address-gone', text }]);
  });
});

describe('a flush', () => {
  it('deletes all that is ours at once, connections or not, and nothing else', async () => {
    const host = new HostKernel();
    await host.outsider(opsFor({ 'tcp|192.0.2.99|80': { '10.9.9.9|80': 5 } }));
    const bench = new KernelBench(host);
    const vips = [vip('shop', ['192.0.2.10', '2001:db8::10'])];
    await bench.pass(configuration([service('web', [A, B], { match: ports(80, 443) })], { vips }));
    host.connections.set(`${WEB} 10.0.0.1|80`, 3);
    await bench.driver.flush();
    expect(await host.table()).toEqual({ 'tcp|192.0.2.99|80': '10.9.9.9|80 5' });
    expect(await host.addresses()).toEqual([]);
  });
});

describe('counting what leaves', () => {
  it('that fails is a kernel that cannot be read, and everything is read again', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    bench.host.connections.set(`${WEB} 10.0.0.2|80`, 1);
    await bench.pass(configuration([service('web', [A])]));
    bench.clock.advance(2_000);
    const { reads } = bench.host;
    bench.host.unreadable = new CodedError('NETLINK_LOST', 'no answer', { transient: true });
    await bench.driver.watch();
    expect(bench.driver.picture()).toBeNull();
    expect(bench.driver.report().failures[0]).toContain('no answer');
    bench.host.unreadable = null;
    await bench.pass(configuration([service('web', [A])]));
    expect([bench.host.reads, bench.driver.report().failures]).toEqual([reads + 1, []]);
  });

  it('is not due before its time, and not at all while nothing leaves', async () => {
    const bench = new KernelBench();
    await bench.pass(SHOP);
    expect(bench.driver.watchDueMs()).toBeNull();
    await bench.driver.watch();
    bench.host.connections.set(`${WEB} 10.0.0.2|80`, 1);
    await bench.pass(configuration([service('web', [A])]));
    bench.clock.advance(400);
    expect(bench.driver.watchDueMs()).toBe(600);
    await bench.driver.watch();
    expect(bench.host.narrowReads).toEqual([]);
    bench.clock.advance(600);
    await bench.driver.watch();
    expect(bench.host.narrowReads).toEqual([[WEB]]);
    expect(bench.driver.watchDueMs()).toBe(1_000);
  });
});
