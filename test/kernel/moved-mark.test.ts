import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { InterfaceAddresses } from '../../src/ipvs/addresses.ts';
import { createDataplane, createInterfaceAddresses } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import type { StoreContent } from '../fakes/records.ts';
import { REAL_ADDRESSES, answersOf, createBalancedNetwork, startWebReals } from '../lab/balanced-network.ts';
import { DRAIN_MS, Director } from '../lab/director.ts';
import { eventually } from '../lab/eventually.ts';
import { enterNetworkNamespace } from '../lab/network-namespace.ts';
import type { LabProcess } from '../lab/process.ts';
import type { Topology } from '../lab/topology.ts';

/* One kernel service by mark, whose packets come to one VIP and then to another. */

const OLD = { four: '203.0.113.7', six: '2001:db8::7' };
const NEW = { four: '203.0.113.8', six: '2001:db8::8' };
const { a, b } = REAL_ADDRESSES;
const deps = { clock: systemClock, log: silentLog };

let net: Topology;
let leave: () => void = () => undefined;
let dataplane: Dataplane;
let addresses: InterfaceAddresses;

beforeAll(async () => {
  net = await createBalancedNetwork();
  await startWebReals(net);
  leave = enterNetworkNamespace(net.node('lb').namespace);
  dataplane = createDataplane('ipvs', deps);
  addresses = createInterfaceAddresses('ipvs', deps);
});
afterAll(async () => {
  await dataplane.close();
  await addresses.close();
  leave();
  await net.stop();
});

const RECORDS: StoreContent = {
  'vips/old': { addresses: [OLD.four, OLD.six] },
  'vips/new': { addresses: [NEW.four, NEW.six] },
  'services/web/reals/a4': { address: a.ipv4, port: 80 },
  'services/web/reals/b4': { address: b.ipv4, port: 80 },
  'services/web/reals/a6': { address: a.ipv6, port: 80 },
  'services/web/reals/b6': { address: b.ipv6, port: 80 },
};
const on = (vip: string): StoreContent => ({
  ...RECORDS,
  'services/web': { vip, match: { fwmark: 7, families: ['ipv4', 'ipv6'] }, scheduler: 'rr' },
});

/** What the agent's own rules do, which the kernel of the guest has not. */
async function mark(action: '-A' | '-D', { four, six }: typeof OLD): Promise<void> {
  for (const [tool, address] of [
    ['iptables-legacy', four],
    ['ip6tables-legacy', six],
  ] as const) {
    const rule = ['PREROUTING', '-d', address, '-p', 'tcp', '--dport', '80', '-j', 'MARK', '--set-mark', '7'];
    await net.node('lb').run(tool, ['-t', 'mangle', action, ...rule]);
  }
}

async function download(host: string): Promise<LabProcess> {
  const curl = await net.node('client').start('curl', ['-sSN', '-g', `http://${host}/drip?ms=240000&chunks=2400`]);
  await curl.until('first bytes', () => /^[ab]$/m.test(curl.log()));
  return curl;
}

/** Waits until each has received more than it has now. */
async function goesOn(downloads: readonly LabProcess[]): Promise<void> {
  const before = downloads.map((each) => each.log().length);
  await eventually('the downloads go on', () => downloads.every((each, at) => each.log().length > (before[at] ?? 0)));
}

it('serves on at the old addresses for the drain time, and then at the new ones only', async () => {
  const director = new Director(dataplane, addresses);
  await mark('-A', OLD);
  await director.pass(on('old'));
  const open = [await download(OLD.four), await download(`[${OLD.six}]`)];
  const urls = ({ four, six }: typeof OLD) => [`http://${four}/`, `http://[${six}]/`];

  await mark('-A', NEW);
  const moved = await director.pass(on('new'));
  expect(moved.ops).toEqual([]);
  expect(moved.addressOps.map(({ kind, address }) => [kind, address])).toEqual([
    ['addAddress', NEW.four],
    ['addAddress', NEW.six],
  ]);
  expect(await answersOf(net, urls(NEW), 4)).toEqual({ a: 4, b: 4 });
  // Until every router knows, some still arrive.
  expect(await answersOf(net, urls(OLD), 4)).toEqual({ a: 4, b: 4 });
  director.restart();
  director.wait(DRAIN_MS - 1);
  expect((await director.pass(on('new'))).addressOps).toEqual([]);
  await goesOn(open);

  director.wait(1);
  const over = await director.pass(on('new'));
  expect(over.ops).toEqual([]);
  expect(over.addressOps.map(({ kind, address }) => [kind, address])).toEqual([
    ['deleteAddress', OLD.four],
    ['deleteAddress', OLD.six],
  ]);
  await mark('-D', OLD);
  expect(await answersOf(net, urls(NEW), 2)).toEqual({ a: 2, b: 2 });
  for (const url of urls(OLD)) await expect(answersOf(net, [url], 1)).rejects.toThrow(/refused|connect/i);
  for (const each of open) await each.stop();
});
