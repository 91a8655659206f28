import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import type { StoreContent } from '../fakes/records.ts';
import { Director } from '../lab/director.ts';
import { eventually } from '../lab/eventually.ts';
import { enterNetworkNamespace } from '../lab/network-namespace.ts';
import { type Topology, createTopology } from '../lab/topology.ts';

/*
 * Records in, answers out: a client behind a router, a director, and two reals that take what comes by NAT, by direct
 * routing or out of a tunnel of any kind, from a VIP of either family.
 */

const WEB = join(import.meta.dirname, '../lab/web-real.mjs');
const GUE_PORT = 6080;
const REALS4 = { a: '10.2.0.11', b: '10.2.0.12' };
const REALS6 = { a: 'fd00:2::11', b: 'fd00:2::12' };
const DIRECTOR4 = '10.2.0.2';
const DIRECTOR6 = 'fd00:2::2';
const VIPS = [10, 11, 12, 13, 14, 15].map((n) => ({ four: `203.0.113.${n}`, six: `2001:db8:ffff::${n}` }));

let net: Topology;
let leave: () => void = () => undefined;
let dataplane: Dataplane;

beforeAll(async () => {
  const vips = VIPS.flatMap(({ four, six }) => [`${four}/32`, `${six}/128`]);
  const routes = ['default via 10.2.0.1', 'default via fd00:2::1'];
  net = await createTopology({
    nodes: {
      client: { routes: ['default via 10.1.0.1', 'default via fd00:1::1'] },
      router: { router: true, routes: [`203.0.113.0/24 via ${DIRECTOR4}`, `2001:db8:ffff::/64 via ${DIRECTOR6}`] },
      lb: { router: true, addresses: vips, routes },
      a: { routes },
      b: { routes },
    },
    segments: {
      wan: {
        client: ['10.1.0.2/24', '10.1.0.3/24', '10.1.1.2/24', 'fd00:1::2/64', 'fd00:1::3/64', 'fd00:1:0:1::2/64'],
        router: ['10.1.0.1/24', '10.1.1.1/24', 'fd00:1::1/64', 'fd00:1:0:1::1/64'],
      },
      lan: {
        router: ['10.2.0.1/24', 'fd00:2::1/64'],
        lb: [`${DIRECTOR4}/24`, `${DIRECTOR6}/64`],
        a: [`${REALS4.a}/24`, `${REALS6.a}/64`],
        b: [`${REALS4.b}/24`, `${REALS6.b}/64`],
      },
    },
  });
  for (const name of ['a', 'b'] as const) {
    await net.node(name).takeDirect(...vips);
    await net.node(name).script(decapsulators(REALS4[name], REALS6[name], name === 'b'));
    const web = await net.node(name).start('node', [WEB, name, '80']);
    await web.until('listens', () => web.log().includes('listening'));
  }
  // Connections that ended are forgotten after a second, not two minutes.
  await net.node('lb').run('ipvsadm', ['--set', '0', '1', '0']);
  leave = enterNetworkNamespace(net.node('lb').namespace);
  dataplane = createDataplane('ipvs', { clock: systemClock, log: silentLog });
});
afterAll(async () => {
  await dataplane.close();
  leave();
  await net.stop();
});

/**
 * What a real needs: replies of its own address (NAT) go back through the director, all others past it. The tunnels
 * that every kernel has take what they can; one end point cannot take GRE with checksums and without.
 */
function decapsulators(four: string, six: string, checksums: boolean): string {
  const gre = checksums
    ? [
        `ip link add gre-sum type gre local ${four} remote ${DIRECTOR4} csum`,
        `ip link add gre6-sum type ip6gre local ${six} remote ${DIRECTOR6} csum`,
        'ip link set gre-sum up; ip link set gre6-sum up',
      ]
    : ['ip link set gre0 up; ip link set ip6gre0 up'];
  return [
    `ip rule add from ${four} lookup 100; ip route add default via ${DIRECTOR4} table 100`,
    `ip -6 rule add from ${six} lookup 100; ip -6 route add default via ${DIRECTOR6} table 100`,
    'ip link set tunl0 up; ip link set sit0 up',
    `ip -6 tunnel add any6 mode any local ${six} remote ${DIRECTOR6}; ip link set any6 up`,
    `ip fou add port ${GUE_PORT} gue; ip -6 fou add port ${GUE_PORT} gue`,
    ...gre,
  ].join('\n');
}

/** @param host an address, or an IPv4 address with a port */
const url = (host: string, path = ''): string => `http://${host.includes('.') ? host : `[${host}]`}/${path}`;

/** How often which real answered: `count` requests to each VIP, each on a connection of its own. */
async function answers(vips: readonly string[], count: number, from: readonly string[] = []): Promise<unknown> {
  const words = ['-sS', '--max-time', '30', '-H', 'Connection: close', ...from];
  const urls = vips.map((vip) => url(vip, `?[1-${count}]`));
  const names = (await net.node('client').run('curl', [...words, ...urls])).trim().split('\n');
  return vips.map((_, index) => {
    const own = names.slice(index * count, (index + 1) * count);
    return Object.fromEntries(['a', 'b'].map((name) => [name, own.filter((each) => each === name).length]));
  });
}

/** Packets that came in by each device of a node. */
async function received(name: 'a' | 'b'): Promise<ReadonlyMap<string, number>> {
  const text = await net.node(name).run('cat', ['/proc/net/dev']);
  return new Map(Array.from(text.matchAll(/^ *([^ :]+): *\d+ +(\d+)/gm), ([, device = '', n]) => [device, Number(n)]));
}

function store(vip: readonly string[], service: object, reals: Readonly<Record<string, object>>): StoreContent {
  return {
    'vips/v': { addresses: vip },
    'services/s': { vip: 'v', match: { ports: ['80'] }, scheduler: 'rr', ...service },
    ...Object.fromEntries(Object.entries(reals).map(([name, fields]) => [`services/s/reals/${name}`, fields])),
  };
}

const reals = (addresses: typeof REALS4, fields: object = {}, fieldsOfB = fields): Record<string, object> => ({
  [`a-${addresses.a.length}`]: { address: addresses.a, ...fields },
  [`b-${addresses.b.length}`]: { address: addresses.b, ...fieldsOfB },
});

describe('forwarding', () => {
  const [vip = { four: '', six: '' }] = VIPS;
  const both = { ...reals(REALS4), ...reals(REALS6) };
  const gue = (checksum: string) => ({ forward: { tunnel: 'gue', port: GUE_PORT, checksum } });
  const gre = (addresses: typeof REALS4) =>
    reals(addresses, { forward: { tunnel: 'gre' } }, { forward: { tunnel: 'gre', checksum: 'full' } });
  let director: Director;
  beforeAll(() => {
    director = new Director(dataplane);
  });

  const IN4 = { a: ['tunl0', 'sit0'], b: ['tunl0', 'sit0'] };
  const IN6 = { a: ['any6'], b: ['any6'] };
  it.each<readonly [string, object, Record<string, object>, { readonly a: string[]; readonly b: string[] }]>([
    ['NAT', {}, both, { a: ['lan'], b: ['lan'] }],
    ['direct routing', { forward: 'direct' }, both, { a: ['lan'], b: ['lan'] }],
    ['ipip tunnels to IPv4 reals', { forward: { tunnel: 'ipip' } }, reals(REALS4), IN4],
    ['ipip tunnels to IPv6 reals', { forward: { tunnel: 'ipip' } }, reals(REALS6), IN6],
    ['gue tunnels to IPv4 reals', gue('none'), reals(REALS4), IN4],
    ['gue tunnels to IPv6 reals', gue('none'), reals(REALS6), IN6],
    ['gue tunnels with checksums to IPv4 reals', gue('full'), reals(REALS4), IN4],
    ['gue tunnels with checksums to IPv6 reals', gue('full'), reals(REALS6), IN6],
    ['gue tunnels with remote checksum offload to IPv4 reals', gue('remote'), reals(REALS4), IN4],
    ['gue tunnels with remote checksum offload to IPv6 reals', gue('remote'), reals(REALS6), IN6],
    ['gre tunnels, one with checksums, to IPv4 reals', {}, gre(REALS4), { a: ['gre0'], b: ['gre-sum'] }],
    ['gre tunnels, one with checksums, to IPv6 reals', {}, gre(REALS6), { a: ['ip6gre0'], b: ['gre6-sum'] }],
  ])('by %s, from a VIP of each family', async (_what, service, pool, devices) => {
    await director.pass(store([vip.four, vip.six], service, pool));
    const before = { a: await received('a'), b: await received('b') };
    const half = { a: 2, b: 2 };
    expect(await answers([vip.four, vip.six], 4)).toEqual([half, half]);
    for (const name of ['a', 'b'] as const) {
      const now = await received(name);
      for (const device of devices[name]) {
        // A connection is at least a SYN, an ACK, the request and a FIN.
        const grown = (now.get(device) ?? 0) - (before[name].get(device) ?? 0);
        expect(grown, `packets by ${device} of ${name}`).toBeGreaterThanOrEqual(8);
      }
    }
  });

  it('by NAT to another port, and to a real of each way at once', async () => {
    const own = VIPS[1]?.four ?? '';
    const mixed = { n: { address: REALS4.a, port: 80 }, t: { address: REALS4.b, forward: { tunnel: 'ipip' } } };
    await director.pass(store([own], {}, mixed));
    expect(await answers([own], 4)).toEqual([{ a: 2, b: 2 }]);
    const match = { ports: ['8000'] };
    await director.pass(store([own], { match }, reals(REALS4, { port: 80 })));
    expect(await answers([`${own}:8000`], 4)).toEqual([{ a: 2, b: 2 }]);
  });

  it('of packets with a mark, whatever their address and port', async () => {
    const lb = net.node('lb');
    const own = VIPS[2] ?? vip;
    for (const [tool, address] of [
      ['iptables-legacy', own.four],
      ['ip6tables-legacy', own.six],
    ] as const) {
      const ports = ['-p', 'tcp', '-m', 'multiport', '--dports', '80,8001'];
      await lb.run(tool, [
        '-t',
        'mangle',
        '-A',
        'PREROUTING',
        '-d',
        address,
        ...ports,
        '-j',
        'MARK',
        '--set-mark',
        '7',
      ]);
    }
    const match = { fwmark: 7, families: ['ipv4', 'ipv6'] };
    await director.pass(store([own.four, own.six], { match }, { ...reals(REALS4), ...reals(REALS6) }));
    const half = { a: 2, b: 2 };
    expect(await answers([own.four, own.six], 4)).toEqual([half, half]);
    // Direct routing would keep the port; NAT of a mark may set one.
    const to80 = { ...reals(REALS4, { port: 80 }), ...reals(REALS6, { port: 80 }) };
    await director.pass(store([own.four, own.six], { match }, to80));
    expect(await answers([`${own.four}:8001`, own.six], 4)).toEqual([half, half]);
  });
});

describe('a pool', () => {
  it('keeps a client at its real, and clients of one network together', async () => {
    const own = VIPS[3] ?? { four: '', six: '' };
    const director = new Director(dataplane);
    const pool = { ...reals(REALS4), ...reals(REALS6) };
    const from = async (vip: string, client: string) =>
      JSON.stringify(await answers([vip], 3, ['--interface', client]));
    const persistence = { timeout: '60s' };
    await director.pass(store([own.four, own.six], { persistence }, pool));
    const all = (name: 'a' | 'b') => JSON.stringify([{ a: name === 'a' ? 3 : 0, b: name === 'b' ? 3 : 0 }]);
    const single = [await from(own.four, '10.1.0.2'), await from(own.four, '10.1.0.3')];
    expect(single.toSorted()).toEqual([all('a'), all('b')].toSorted());

    const networks = VIPS[4] ?? own;
    const grouped = { ...persistence, mask: 24, prefixLength: 64 };
    await director.pass(store([networks.four, networks.six], { persistence: grouped }, pool));
    for (const [address, [first = '', neighbour = '', stranger = '']] of [
      [networks.four, ['10.1.0.2', '10.1.0.3', '10.1.1.2']],
      [networks.six, ['fd00:1::2', 'fd00:1::3', 'fd00:1:0:1::2']],
    ] as const) {
      const one = await from(address, first);
      const other = one === all('a') ? all('b') : all('a');
      expect([one, await from(address, neighbour), await from(address, stranger)]).toEqual([one, one, other]);
    }
  });

  it('sends no more to a real at its upper threshold', async () => {
    const own = VIPS[5]?.four ?? '';
    const limited = { a: { address: REALS4.a, upperThreshold: 1 }, b: { address: REALS4.b } };
    await new Director(dataplane).pass(store([own], {}, limited));
    const download = await net.node('client').start('curl', ['-sSN', url(own, 'drip?ms=1500&chunks=5')]);
    const second = await net.node('client').start('curl', ['-sSN', url(own, 'drip?ms=1500&chunks=5')]);
    await Promise.all([download, second].map((each) => each.until('first bytes', () => /^[ab]$/m.test(each.log()))));
    expect(await answers([own], 4)).toEqual([{ a: 0, b: 4 }]);
    await Promise.all([download.ended, second.ended]);
    expect([download.log(), second.log()].map((log) => log.trim().split('\n').length)).toEqual([5, 5]);
  });

  it('lets open connections finish at a real that leaves, and takes it out then', async () => {
    const own = VIPS[5]?.six ?? '';
    const pool = reals(REALS6, { forward: 'direct' });
    const director = new Director(dataplane);
    await director.pass(store([own], {}, pool));
    const download = await net.node('client').start('curl', ['-sSN', url(own, 'drip?ms=2500&chunks=10')]);
    await download.until('first bytes', () => /^[ab]$/m.test(download.log()));
    const leaver = download.log().trim().slice(0, 1);
    const rest = Object.fromEntries(Object.entries(pool).filter(([name]) => !name.startsWith(leaver)));

    const removed = await director.pass(store([own], {}, rest));
    expect(removed.ops.map((op) => (op.kind === 'editDestination' ? op.destination.weight : op.kind))).toEqual([0]);
    const others = leaver === 'a' ? { a: 0, b: 4 } : { a: 4, b: 0 };
    expect(await answers([own], 4)).toEqual([others]);
    director.wait(1_000);
    expect((await director.pass(store([own], {}, rest))).ops).toEqual([]);
    expect(download.end).toBeUndefined();

    expect(await download.ended).toEqual({ code: 0, signal: null });
    expect(download.log().trim().split('\n')).toEqual(Array.from({ length: 10 }, () => leaver));
    await eventually('the real is taken out', async () => {
      director.wait(1);
      const { ops } = await director.pass(store([own], {}, rest));
      expect(ops.every(({ kind }) => kind === 'deleteDestination')).toBe(true);
      return ops.length === 1;
    });
  });
});
