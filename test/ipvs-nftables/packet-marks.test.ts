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
const MARKS_TABLE = 'vipkeeper-marks';
/** What an operator has on this host besides. */
const FOREIGN_TABLE = 'table inet operator { }\n';
const FOREIGN_SERVICE = ['-A', '-t', '192.0.2.99:80', '-s', 'rr'];

const { a, b } = REAL_ADDRESSES;
const RECORDS: StoreContent = {
  'agents/_default': {
    dataplane: 'ipvs',
    // The kernel forgets a connection a second after its end.
    kernel: { timeouts: { tcpfin: '1s' } },
    // All of it goes at once, and is meant to; but not before its connections.
    limits: { maxDeleteCount: 9 },
    drainTimeout: '1h',
  },
  'vips/shop': { addresses: [VIP.ipv4, VIP.ipv6] },
  'services/shop': {
    vip: 'shop',
    match: { fwmark: 7, families: ['ipv4', 'ipv6'], mark: { ports: ['80', '8000-8001'], protocols: ['tcp'] } },
    scheduler: 'wrr',
  },
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

it('marks packets to two addresses and three ports, which one service of each family shares out by weight', async () => {
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

it('takes the marks away with the service, once the last connection that needs them is over', async () => {
  const client = net.node('client');
  const download = await client.start('curl', ['-sSN', `http://${VIP.ipv4}:8000/drip?ms=1200000&chunks=2400`]);
  await download.until('first bytes', () => /^[ab]$/m.test(download.log()));
  agent.put({ ...Object.fromEntries(Object.keys(RECORDS).map((path) => [path, null])), ...KEPT });
  await agent.until('the service leaves', ({ services }) => services.length === 0);
  await eventually('its reals take nobody new', async () => (await onDirector('ipvsadm', '-Sn')).includes('-w 0'), {
    timeoutMs: 60_000,
  });
  const received = download.log().length;
  await eventually('the last connection goes on', () => download.log().length > received, { timeoutMs: 60_000 });
  expect(await tables()).toEqual(['operator', MARKS_TABLE]);
  await download.kill('SIGTERM');
  expect(new Set(download.log().trim().split('\n')).size).toBe(1);
  await eventually('the marks are gone', async () => (await tables()).length === 1, { timeoutMs: 180_000 });
  expect(await tables()).toEqual(['operator']);
  expect(await onDirector('ipvsadm', '-Sn')).toBe(FOREIGN_SERVICE.join(' '));
});

/** The agent's own settings stay; so does the VIP, which the last connection needs. */
const KEPT: StoreContent = Object.fromEntries(
  Object.entries(RECORDS).filter(([path]) => path.startsWith('agents/') || path.startsWith('vips/')),
);
