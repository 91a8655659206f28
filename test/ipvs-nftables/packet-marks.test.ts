import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StoreContent } from '../fakes/records.ts';
import { REAL_ADDRESSES, answersOf, createBalancedNetwork, startWebReals } from '../lab/balanced-network.ts';
import { eventually } from '../lab/eventually.ts';
import { requireParts } from '../lab/parts.ts';
import type { Topology } from '../lab/topology.ts';
import { WholeAgent } from '../lab/whole-agent.ts';

/*
 * One service of IPVS for two addresses and several ports: a mark that rules of nf_tables give to packets, and that
 * the agent sets and takes away with the service.
 */

const VIP = { ipv4: '203.0.113.7', ipv6: '2001:db8::7' };
const NEXT = '203.0.113.8';
const MARKS_TABLE = 'vipkeeper-marks';
/** What an operator has on this host besides. */
const FOREIGN_TABLE = 'table inet operator { }\n';
const FOREIGN_SERVICE = ['-A', '-t', '192.0.2.99:80', '-s', 'rr'];

const { a, b } = REAL_ADDRESSES;
const SETTINGS = {
  dataplane: 'ipvs',
  // All of it goes at once, and is meant to; but not before its connections.
  limits: { maxDeleteCount: 9 },
  drainTimeout: '1h',
};
const on = (vip: string) => ({
  vip,
  match: { fwmark: 7, families: ['ipv4', 'ipv6'], mark: { ports: ['80', '8000-8001'], protocols: ['tcp'] } },
  scheduler: 'wrr',
});
const RECORDS: StoreContent = {
  'agents/_default': SETTINGS,
  'vips/shop': { addresses: [VIP.ipv4, VIP.ipv6] },
  'services/shop': on('shop'),
  'services/shop/reals/a4': { address: a.ipv4, port: 80, weight: 3 },
  'services/shop/reals/b4': { address: b.ipv4, port: 80, weight: 1 },
  'services/shop/reals/a6': { address: a.ipv6, port: 80, weight: 3 },
  'services/shop/reals/b6': { address: b.ipv6, port: 80, weight: 1 },
};

let net: Topology;
let agent: WholeAgent;

const onDirector = async (file: string, ...args: string[]): Promise<string> => {
  return (await net.node('lb').run(file, args)).trim();
};
const tables = async (): Promise<string[]> => {
  const { nftables } = JSON.parse(await onDirector('nft', '-j', 'list', 'tables')) as {
    readonly nftables: readonly { readonly table?: { readonly name: string } }[];
  };
  return nftables.flatMap(({ table }) => (table === undefined ? [] : [table.name])).toSorted();
};

/** Whether a VIP is on this host. */
const holds = async (address: string): Promise<boolean> =>
  (await onDirector('ip', '-o', 'address', 'show', 'dev', 'lo')).includes(` ${address}/`);

beforeAll(async () => {
  net = await createBalancedNetwork(await requireParts(['iproute2', 'ipvsadm', 'nftables', 'curl']));
  await startWebReals(net);
  await net.node('lb').run('nft', ['-f', '-'], { input: FOREIGN_TABLE });
  await onDirector('ipvsadm', ...FOREIGN_SERVICE);
  agent = new WholeAgent(net.node('lb'));
  agent.put(RECORDS);
  await agent.start();
  await agent.until('everything is in force', ({ ready, services }) => ready && services.length === 1);
});
afterAll(async () => {
  await agent.remove();
  await net.stop();
});

/** Resets its connection at SIGTERM: IPVS forgets that in 10 seconds, but an orderly end in two minutes (TIME_WAIT). */
const DOWNLOAD = `
const socket = require('net').connect(8000, '${VIP.ipv4}');
socket.write('GET /drip?ms=1200000&chunks=2400 HTTP/1.0\\r\\n\\r\\n');
socket.pipe(process.stdout);
process.on('SIGTERM', () => socket.resetAndDestroy());`;

/** The agent's own settings stay. */
const KEPT: StoreContent = { 'agents/_default': SETTINGS };

it('takes marks and addresses away with the service, once the last connection that needs them is over', async () => {
  const download = await net.node('client').start('node', ['-e', DOWNLOAD]);
  await download.until('first bytes', () => /^[ab]$/m.test(download.log()), 60_000);
  agent.put({ ...Object.fromEntries(Object.keys(RECORDS).map((path) => [path, null])), ...KEPT });
  await agent.until('the service leaves', ({ services }) => services.length === 0);
  await eventually('its reals take nobody new', async () => (await onDirector('ipvsadm', '-Sn')).includes('-w 0'), {
    timeoutMs: 60_000,
  });
  await eventually('what has no connection is gone', async () => !(await holds(VIP.ipv6)), { timeoutMs: 60_000 });
  const received = download.log().length;
  await eventually('the last connection goes on', () => download.log().length > received, { timeoutMs: 60_000 });
  expect(await tables()).toEqual(['operator', MARKS_TABLE]);
  expect(await holds(VIP.ipv4)).toBe(true);
  await download.kill('SIGTERM', 60_000);
  expect(new Set(download.log().match(/^[ab]$/gm)).size).toBe(1);
  await eventually('the address is gone', async () => !(await holds(VIP.ipv4)), { timeoutMs: 180_000 });
  await eventually('the marks are gone', async () => (await tables()).length === 1, { timeoutMs: 60_000 });
  expect(await tables()).toEqual(['operator']);
  expect(await onDirector('ipvsadm', '-Sn')).toBe(FOREIGN_SERVICE.join(' '));
});

it('marks packets to two addresses and three ports, which one service of each family shares out by weight', async () => {
  agent.put(RECORDS);
  await agent.until('everything is in force again', ({ ready, kernel }) => ready && kernel.destinations === 4);
  expect((await onDirector('ipvsadm', '-Sn')).split('\n').toSorted()).toEqual(
    [
      FOREIGN_SERVICE.join(' '),
      '-A -f 7 -s wrr',
      `-a -f 7 -r ${a.ipv4}:80 -m -w 3`,
      `-a -f 7 -r ${b.ipv4}:80 -m -w 1`,
      '-A -f 7 -6 -s wrr',
      `-a -f 7 -6 -r [${a.ipv6}]:80 -m -w 3`,
      `-a -f 7 -6 -r [${b.ipv6}]:80 -m -w 1`,
    ].toSorted(),
  );
  expect(await tables()).toEqual(['operator', MARKS_TABLE]);
  for (const host of [VIP.ipv4, `[${VIP.ipv6}]`]) {
    const urls = ['', ':8000', ':8001'].map((port) => `http://${host}${port}/`);
    // A service for each port would give 4 requests 3:1 as well, but 2 requests 2:0.
    expect(await answersOf(net, urls, 4)).toEqual({ a: 9, b: 3 });
    expect(await answersOf(net, urls.slice(0, 2), 2)).toEqual({ a: 3, b: 1 });
    await expect(answersOf(net, [`http://${host}:8002/`], 1)).rejects.toThrow(/refused|timed out|Failed to connect/i);
  }
});

it('marks packets to the VIP that it has left as well, until the drain time is over', async () => {
  const marked = async () => (await onDirector('nft', 'list', 'table', 'inet', MARKS_TABLE)).includes(` ${VIP.ipv4} `);
  agent.put({ 'vips/next': { addresses: [NEXT] }, 'services/shop': on('next') });
  const moved = await agent.until('it has moved', ({ kernel }) => kernel.leavingAddresses.length === 2);
  expect(moved.kernel.leaving).toEqual([]);
  expect(await answersOf(net, [`http://${NEXT}/`, `http://${VIP.ipv4}/`], 4)).toEqual({ a: 6, b: 2 });
  expect([await marked(), await holds(VIP.ipv4), await holds(VIP.ipv6)]).toEqual([true, true, true]);
  agent.put({ 'agents/_default': { ...SETTINGS, drainTimeout: '0s' } });
  await agent.until('its time is over', ({ kernel }) => kernel.leavingAddresses.length === 0);
  await eventually('nothing is marked there', async () => !(await marked()), { timeoutMs: 60_000 });
  expect([await holds(VIP.ipv4), await holds(VIP.ipv6), await holds(NEXT)]).toEqual([false, false, true]);
  expect(await answersOf(net, [`http://${NEXT}/`], 4)).toEqual({ a: 3, b: 1 });
});
