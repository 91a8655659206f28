import fc from 'fast-check';
import type { StoreContent } from '../fakes/records.ts';
import type { WitnessService, WitnessTable } from '../lab/ipvsadm-witness.ts';

/*
 * Random wishes of an operator, as records and, worked out on its own, as what ipvsadm must then say. Nothing here
 * knows how the agent expands, compares or plans.
 */

const HOSTS = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8:1::1', '2001:db8:1::2', '2001:db8:1::3'];
const isIpv6 = (address: string): boolean => address.includes(':');

const WAYS = {
  nat: { record: 'nat', option: '-m', tunnel: '' },
  direct: { record: 'direct', option: '-g', tunnel: '' },
  ipip: { record: { tunnel: 'ipip' }, option: '-i', tunnel: ' --tun-type ipip' },
  gue: {
    record: { tunnel: 'gue', port: 6080, checksum: 'full' },
    option: '-i',
    tunnel: ' --tun-type gue --tun-port 6080 --tun-csum',
  },
  gre: { record: { tunnel: 'gre' }, option: '-i', tunnel: ' --tun-type gre --tun-nocsum' },
} as const;
type Way = keyof typeof WAYS;

const SCHEDULING = [
  { scheduler: 'wlc', schedulerFlags: [], words: '-s wlc' },
  { scheduler: 'rr', schedulerFlags: ['flag-3'], words: '-s rr', flags: ' -b flag-3' },
  { scheduler: 'sh', schedulerFlags: ['sh-port'], words: '-s sh', flags: ' -b sh-port' },
  { scheduler: 'mh', schedulerFlags: [], words: '-s mh' },
  { scheduler: 'lblc', schedulerFlags: [], words: '-s lblc' },
] as const;

const PERSISTENCE = [
  null,
  null,
  { record: { timeout: '5m' }, words4: ' -p 300', words6: ' -p 300' },
  { record: { timeout: '1m', mask: 24, prefixLength: 64 }, words4: ' -p 60 -M 255.255.255.0', words6: ' -p 60 -M 64' },
] as const;

const realArbitrary = fc.record({
  host: fc.nat({ max: HOSTS.length - 1 }),
  weight: fc.constantFrom(0, 1, 5, 2_147_483_647),
  way: fc.option(fc.constantFrom<Way[]>('nat', 'direct', 'ipip', 'gue', 'gre')),
  otherPort: fc.boolean(),
  thresholds: fc.constantFrom<(readonly [number, number])[]>([0, 0], [0, 0], [10, 5], [2_147_483_647, 0]),
  state: fc.constantFrom('enabled', 'enabled', 'enabled', 'drain', 'disabled'),
});
type Real = typeof realArbitrary extends fc.Arbitrary<infer T> ? T : never;

const serviceArbitrary = fc.record({
  reals: fc.uniqueArray(realArbitrary, { maxLength: 5, selector: ({ host }) => host }),
  way: fc.constantFrom<Way[]>('nat', 'nat', 'direct', 'ipip', 'gue'),
  scheduling: fc.constantFrom(...SCHEDULING),
  persistence: fc.constantFrom(...PERSISTENCE),
  state: fc.constantFrom('enabled', 'enabled', 'enabled', 'drain', 'disabled'),
});
type Service = typeof serviceArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** What somebody else does to the kernel between two passes. */
const MEDDLINGS = ['weight', 'deleteReal', 'deleteService', 'addReal'] as const;

export const stepArbitrary = fc.record({
  services: fc.tuple(fc.option(serviceArbitrary), fc.option(serviceArbitrary), fc.option(serviceArbitrary)),
  restart: fc.boolean(),
  meddling: fc.option(fc.constantFrom(...MEDDLINGS), { freq: 2 }),
});
export type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** The places that a step may fill: addresses with one port, with a range and two protocols, and a firewall mark. */
const PLACES = [
  { vip: 'v0', match: { ports: ['80'] } },
  { vip: 'v1', match: { ports: ['53-54'], protocols: ['udp', 'tcp'] } },
  { vip: 'v1', match: { fwmark: 7, families: ['ipv4', 'ipv6'] } },
] as const;
const VIPS = { v0: ['192.0.2.10', '2001:db8::10'], v1: ['192.0.2.11', '2001:db8::11'] } as const;

/** The interface of the VIPs, and what is on it before us: one address of nobody's, one that a VIP wants. */
export const INTERFACE = 'vip-converge';
export const FOREIGN_ADDRESSES = ['198.51.100.200', '192.0.2.11'];

/** Lines for `ipvsadm --restore` of what is nobody's business. */
export const FOREIGN = [
  '-A -t 198.51.100.1:22 -s wlc -p 90 -M 255.255.0.0',
  '-a -t 198.51.100.1:22 -r 10.9.9.1:22 -g -w 3',
  '-A -f 99 -6 -s rr',
  '-a -f 99 -6 -r [2001:db8:9::1]:0 -i -w 1 --tun-type ipip',
];

const namesOf = (place: number): { name: string; ipv6: boolean; port: number }[] => {
  if (place === 2) return [false, true].map((ipv6) => ({ name: ipv6 ? '-f 7 -6' : '-f 7', ipv6, port: 0 }));
  const options = place === 0 ? ['-t'] : ['-u', '-t'];
  const ports = place === 0 ? [80] : [53, 54];
  return VIPS[place === 0 ? 'v0' : 'v1'].flatMap((vip) =>
    options.flatMap((option) =>
      ports.map((port) => ({ name: `${option} ${endpoint(vip, port)}`, ipv6: isIpv6(vip), port })),
    ),
  );
};

const endpoint = (address: string, port: number): string =>
  isIpv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

/** A port of its own is for NAT, and for a mark only without persistence. */
function ownPort(place: number, service: Service, real: Real): number | undefined {
  const way = real.way ?? service.way;
  return real.otherPort && way === 'nat' && !(place === 2 && service.persistence !== null) ? 8080 : undefined;
}

export function recordsOf({ services }: Step): StoreContent {
  const content: [string, unknown][] = Object.entries(VIPS).map(([name, addresses]) => {
    return [`vips/${name}`, { addresses, interface: INTERFACE }];
  });
  for (const [place, service] of services.entries()) {
    const where = PLACES[place];
    if (service === null || where === undefined) continue;
    const { scheduler, schedulerFlags } = service.scheduling;
    const path = `services/s${place}`;
    content.push([
      path,
      {
        ...where,
        scheduler,
        schedulerFlags,
        state: service.state,
        forward: WAYS[service.way].record,
        ...(service.persistence === null ? {} : { persistence: service.persistence.record }),
      },
    ]);
    for (const real of service.reals) {
      const { weight, state, thresholds } = real;
      const [upperThreshold, lowerThreshold] = thresholds;
      const record = {
        ...{ address: HOSTS[real.host], port: ownPort(place, service, real), weight, state },
        ...{ upperThreshold, lowerThreshold, ...(real.way === null ? {} : { forward: WAYS[real.way].record }) },
      };
      content.push([`${path}/reals/r${real.host}`, record]);
    }
  }
  return Object.fromEntries(content);
}

/** What ipvsadm must say of ours once everything has settled. */
export function tableOf({ services }: Step): WitnessTable {
  const table: WitnessTable = new Map();
  for (const [place, service] of services.entries()) {
    if (service === null || service.state === 'disabled') continue;
    const { persistence, scheduling } = service;
    for (const { name, ipv6, port } of namesOf(place)) {
      const persistent = persistence === null ? '' : ipv6 ? persistence.words6 : persistence.words4;
      const flags = 'flags' in scheduling ? scheduling.flags : '';
      const entry: WitnessService = { words: `${scheduling.words}${persistent}${flags}`, reals: new Map() };
      table.set(name, entry);
      for (const real of service.reals) {
        const address = HOSTS[real.host] ?? '';
        const way = WAYS[real.way ?? service.way];
        // What is drained has no connections here, so it is out as soon as it has settled.
        if (service.state === 'drain' || real.state !== 'enabled') continue;
        if (way.tunnel === '' && isIpv6(address) !== ipv6) continue;
        const words = `${way.option} -w ${real.weight}${way.tunnel}`;
        const to = endpoint(address, ownPort(place, service, real) ?? port);
        entry.reals.set(to, { words, thresholds: real.thresholds.join(' ') });
      }
    }
  }
  return table;
}

/** Addresses that must be on the interface, foreign ones among them. */
export function addressesOf({ services }: Step): Set<string> {
  const addresses = new Set(FOREIGN_ADDRESSES);
  for (const [place, service] of services.entries()) {
    if (service === null || service.state === 'disabled') continue;
    for (const address of VIPS[PLACES[place]?.vip ?? 'v0']) addresses.add(address);
  }
  return addresses;
}

/** The words of ipvsadm with which somebody else meddles with the first service that has reals, and the table then. */
export function meddled(
  before: WitnessTable,
  how: Step['meddling'],
): { readonly words: readonly string[]; readonly table: WitnessTable } | null {
  const [name = '', service] = [...before].find(([, { reals }]) => reals.size > 0) ?? [];
  const [to = '', real] = [...(service?.reals ?? [])][0] ?? [];
  if (how === null || service === undefined || real === undefined) return null;
  const reals = new Map(service.reals);
  const table = new Map(before).set(name, { ...service, reals });
  switch (how) {
    case 'weight': {
      const words = real.words.replace(/-w \d+/, '-w 77');
      reals.set(to, { words, thresholds: '0 0' });
      return { words: `-e ${name} -r ${to} ${words}`.split(' '), table };
    }
    case 'deleteReal':
      reals.delete(to);
      return { words: `-d ${name} -r ${to}`.split(' '), table };
    case 'deleteService':
      table.delete(name);
      return { words: `-D ${name}`.split(' '), table };
    case 'addReal': {
      const ipv6 = name.includes('[') || name.endsWith(' -6');
      const port = /:(\d+)$/.exec(name)?.[1] ?? '0';
      const stranger = ipv6 ? `[2001:db8:9::9]:${port}` : `10.9.9.9:${port}`;
      reals.set(stranger, { words: '-m -w 1', thresholds: '0 0' });
      return { words: `-a ${name} -r ${stranger} -m -w 1`.split(' '), table };
    }
  }
}

const weightOf = (words: string): number => Number(/-w (\d+)/.exec(words)?.[1]);

/** The fewest operations from one table to the other: those that go on at once, and those once reals have left. */
export function fewestOps(
  before: WitnessTable,
  after: WitnessTable,
): { readonly atOnce: number; readonly then: number } {
  let atOnce = 0;
  let then = 0;
  for (const [name, wanted] of after) {
    const there = before.get(name);
    if (there === undefined) {
      atOnce += 1 + wanted.reals.size;
      continue;
    }
    if (there.words !== wanted.words) atOnce += 1;
    for (const [address, real] of wanted.reals) {
      const old = there.reals.get(address);
      if (old?.words !== real.words || old.thresholds !== real.thresholds) atOnce += 1;
    }
    for (const [address, { words }] of there.reals) {
      if (wanted.reals.has(address)) continue;
      if (weightOf(words) > 0) atOnce += 1;
      then += 1;
    }
  }
  for (const [name, { reals }] of before) {
    if (after.has(name)) continue;
    atOnce += [...reals.values()].filter(({ words }) => weightOf(words) > 0).length;
    if (reals.size === 0) atOnce += 1;
    else then += 1;
  }
  return { atOnce, then };
}
