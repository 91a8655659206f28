import type { StoreContent } from '../fakes/records.ts';
import { LAB_SCHEDULERS } from './dataplane-samples.ts';

/*
 * Every attribute of a service and of a real, as an operator writes it and as `ipvsadm --save --numeric` says it. In
 * the lines V4 and V6 stand for the addresses of the row's own VIP.
 */

export interface AttributeRow {
  readonly what: string;
  readonly vip4: string;
  readonly vip6: string;
  readonly service: Record<string, unknown>;
  readonly reals: Readonly<Record<string, Record<string, unknown>>>;
  /** Lines of `ipvsadm --save --numeric`. */
  readonly saved: readonly string[];
  /** Real -> upper and lower threshold in `ipvsadm --list --thresholds`; others have none. */
  readonly thresholds: Readonly<Record<string, string>>;
}

interface RowFields {
  readonly service?: Record<string, unknown>;
  readonly reals?: Readonly<Record<string, Record<string, unknown>>>;
  readonly addresses?: readonly string[];
  readonly thresholds?: Readonly<Record<string, string>>;
}

const A4 = '10.0.0.1';
const A6 = '2001:db8:1::1';
const BOTH = { a: { address: A4 }, b: { address: A6 } };

function row(what: string, { service = {}, reals = BOTH, thresholds = {} }: RowFields, saved: readonly string[]) {
  return { what, service: { match: { ports: ['80'] }, ...service }, reals, saved, thresholds };
}

/** A row whose service has these words after its scheduler or instead of it, for both families. */
function serviceRow(what: string, service: Record<string, unknown>, words: string, words6 = words) {
  return row(what, { service }, [
    `-A -t V4:80 ${words}`,
    `-a -t V4:80 -r ${A4}:80 -m -w 1`,
    `-A -t [V6]:80 ${words6}`,
    `-a -t [V6]:80 -r [${A6}]:80 -m -w 1`,
  ]);
}

/** A row whose reals have these words after their address, for both families. */
function realRow(what: string, real: Record<string, unknown>, words: string, port = 80) {
  const reals = { a: { address: A4, ...real }, b: { address: A6, ...real } };
  return row(what, { reals }, [
    '-A -t V4:80 -s wlc',
    `-a -t V4:80 -r ${A4}:${port} ${words}`,
    '-A -t [V6]:80 -s wlc',
    `-a -t [V6]:80 -r [${A6}]:${port} ${words}`,
  ]);
}

/** One real of each family behind an address of each: the tunnel carries the other family as well. */
function tunnelRow(what: string, forward: Record<string, unknown>, words: string) {
  return row(what, { service: { forward } }, [
    '-A -t V4:80 -s wlc',
    `-a -t V4:80 -r ${A4}:80 -i -w 1 ${words}`,
    `-a -t V4:80 -r [${A6}]:80 -i -w 1 ${words}`,
    '-A -t [V6]:80 -s wlc',
    `-a -t [V6]:80 -r ${A4}:80 -i -w 1 ${words}`,
    `-a -t [V6]:80 -r [${A6}]:80 -i -w 1 ${words}`,
  ]);
}

const UDP = { ports: ['5060'], protocols: ['udp'] };
const udpLines = (words: string, words6 = words) => [
  `-A -u V4:5060 ${words}`,
  `-a -u V4:5060 -r ${A4}:5060 -m -w 1`,
  `-A -u [V6]:5060 ${words6}`,
  `-a -u [V6]:5060 -r [${A6}]:5060 -m -w 1`,
];

const flags = (scheduler: string, schedulerFlags: readonly string[], shown = schedulerFlags.join(',')) =>
  serviceRow(`${scheduler} with ${shown}`, { scheduler, schedulerFlags }, `-s ${scheduler} -b ${shown}`);

const ROWS = [
  ...LAB_SCHEDULERS.map((scheduler) => serviceRow(`scheduler ${scheduler}`, { scheduler }, `-s ${scheduler}`)),
  flags('sh', ['sh-port']),
  flags('sh', ['sh-fallback']),
  flags('sh', ['sh-port', 'sh-fallback'], 'sh-fallback,sh-port'),
  flags('mh', ['mh-port']),
  flags('mh', ['mh-fallback']),
  flags('mh', ['mh-port', 'mh-fallback'], 'mh-fallback,mh-port'),
  flags('wrr', ['flag-1']),
  flags('wrr', ['flag-2']),
  flags('wrr', ['flag-3', 'flag-1', 'flag-2'], 'flag-1,flag-2,flag-3'),
  // Under sh and mh ipvsadm calls the first two by the scheduler's own names.
  flags('sh', ['flag-1'], 'sh-fallback'),
  flags('mh', ['flag-2'], 'mh-port'),
  serviceRow('persistence as it is by default', { persistence: {} }, '-s wlc -p 360'),
  serviceRow('the shortest persistence', { persistence: { timeout: '1s' } }, '-s wlc -p 1'),
  serviceRow('the longest persistence', { persistence: { timeout: '31d' } }, '-s wlc -p 2678400'),
  serviceRow(
    'persistence of networks',
    { persistence: { timeout: '5m', mask: 24, prefixLength: 64 } },
    '-s wlc -p 300 -M 255.255.255.0',
    '-s wlc -p 300 -M 64',
  ),
  serviceRow(
    'persistence of the largest networks',
    { persistence: { timeout: '5m', mask: 1, prefixLength: 1 } },
    '-s wlc -p 300 -M 128.0.0.0',
    '-s wlc -p 300 -M 1',
  ),
  row(
    'persistence by SIP Call-ID',
    { service: { match: UDP, persistence: { timeout: '1m', engine: 'sip' } } },
    udpLines('-s wlc -p 60 --pe sip'),
  ),
  row('one packet', { service: { match: UDP, onePacket: true } }, udpLines('-s wlc -o')),
  row(
    'one packet, SIP and networks',
    {
      service: {
        match: UDP,
        scheduler: 'rr',
        onePacket: true,
        persistence: { timeout: '1m', mask: 16, prefixLength: 48, engine: 'sip' },
      },
    },
    udpLines('-s rr -p 60 -M 255.255.0.0 --pe sip -o', '-s rr -p 60 -M 48 --pe sip -o'),
  ),
  row('an IPv4 firewall mark', { service: { match: { fwmark: 1 } }, reals: { a: { address: A4 } } }, [
    '-A -f 1 -s wlc',
    `-a -f 1 -r ${A4}:0 -m -w 1`,
  ]),
  row(
    'a firewall mark of both families, with a port by NAT, one packet at a time',
    {
      service: { match: { fwmark: 4_294_967_295, families: ['ipv4', 'ipv6'] }, onePacket: true },
      reals: { a: { address: A4, port: 8080 }, b: { address: A6, port: 8080 } },
    },
    // ipvsadm prints marks as signed numbers.
    [
      '-A -f -1 -s wlc -o',
      `-a -f -1 -r ${A4}:8080 -m -w 1`,
      '-A -f -1 -6 -s wlc -o',
      `-a -f -1 -6 -r [${A6}]:8080 -m -w 1`,
    ],
  ),
  row(
    'a firewall mark with persistence, by direct routing',
    {
      service: {
        match: { fwmark: 2_147_483_647, families: ['ipv6'] },
        persistence: { timeout: '1h', prefixLength: 56 },
        forward: 'direct',
      },
      reals: { b: { address: A6 } },
    },
    ['-A -f 2147483647 -6 -s wlc -p 3600 -M 56', `-a -f 2147483647 -6 -r [${A6}]:0 -g -w 1`],
  ),
  row('every port, with persistence', { service: { match: { ports: ['0'] }, persistence: {} } }, [
    '-A -t V4:0 -s wlc -p 360',
    `-a -t V4:0 -r ${A4}:0 -m -w 1`,
    '-A -t [V6]:0 -s wlc -p 360',
    `-a -t [V6]:0 -r [${A6}]:0 -m -w 1`,
  ]),
  row(
    'ports, a range and every protocol',
    {
      service: { match: { ports: ['65534-65535', '53'], protocols: ['tcp', 'udp', 'sctp'] } },
      reals: { b: { address: A6 } },
    },
    ['-t', '-u', '--sctp-service'].flatMap((protocol) =>
      [53, 65_534, 65_535].flatMap((port) => [
        `-A ${protocol} V4:${port} -s wlc`,
        `-A ${protocol} [V6]:${port} -s wlc`,
        `-a ${protocol} [V6]:${port} -r [${A6}]:${port} -m -w 1`,
      ]),
    ),
  ),
  realRow('weight 0', { weight: 0 }, '-m -w 0'),
  realRow('the largest weight', { weight: 2_147_483_647 }, '-m -w 2147483647'),
  realRow('another port by NAT', { port: 8080 }, '-m -w 1', 8080),
  row(
    'thresholds',
    {
      reals: {
        a: { address: A4, upperThreshold: 2_147_483_647, lowerThreshold: 2_147_483_647 },
        b: { address: A6, upperThreshold: 100, lowerThreshold: 80 },
        c: { address: '10.0.0.2', upperThreshold: 100 },
      },
      thresholds: { [`${A4}:80`]: '2147483647 2147483647', [`[${A6}]:80`]: '100 80', '10.0.0.2:80': '100 0' },
    },
    [
      '-A -t V4:80 -s wlc',
      `-a -t V4:80 -r ${A4}:80 -m -w 1`,
      '-a -t V4:80 -r 10.0.0.2:80 -m -w 1',
      '-A -t [V6]:80 -s wlc',
      `-a -t [V6]:80 -r [${A6}]:80 -m -w 1`,
    ],
  ),
  realRow('direct routing', { forward: 'direct' }, '-g -w 1'),
  tunnelRow('ipip tunnels', { tunnel: 'ipip' }, '--tun-type ipip'),
  tunnelRow('gue tunnels', { tunnel: 'gue', port: 6080 }, '--tun-type gue --tun-port 6080 --tun-nocsum'),
  tunnelRow(
    'gue tunnels with checksums',
    { tunnel: 'gue', port: 65_535, checksum: 'full' },
    '--tun-type gue --tun-port 65535 --tun-csum',
  ),
  tunnelRow(
    'gue tunnels with remote checksum offload',
    { tunnel: 'gue', port: 1, checksum: 'remote' },
    '--tun-type gue --tun-port 1 --tun-remcsum',
  ),
  tunnelRow('gre tunnels', { tunnel: 'gre' }, '--tun-type gre --tun-nocsum'),
  tunnelRow('gre tunnels with checksums', { tunnel: 'gre', checksum: 'full' }, '--tun-type gre --tun-csum'),
  row(
    'a way of forwarding for each real',
    {
      service: { forward: 'direct' },
      reals: {
        a: { address: A4 },
        b: { address: A6, forward: 'nat', port: 81 },
        c: { address: '10.0.0.2', forward: 'nat', port: 82, weight: 2 },
        d: { address: '10.0.0.3', forward: { tunnel: 'gre' } },
        e: { address: '10.0.0.4', forward: { tunnel: 'gue', port: 6080 }, weight: 3 },
      },
    },
    [
      '-A -t V4:80 -s wlc',
      `-a -t V4:80 -r ${A4}:80 -g -w 1`,
      '-a -t V4:80 -r 10.0.0.2:82 -m -w 2',
      '-a -t V4:80 -r 10.0.0.3:80 -i -w 1 --tun-type gre --tun-nocsum',
      '-a -t V4:80 -r 10.0.0.4:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-nocsum',
      '-A -t [V6]:80 -s wlc',
      `-a -t [V6]:80 -r [${A6}]:81 -m -w 1`,
      '-a -t [V6]:80 -r 10.0.0.3:80 -i -w 1 --tun-type gre --tun-nocsum',
      '-a -t [V6]:80 -r 10.0.0.4:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-nocsum',
    ],
  ),
];

export const ATTRIBUTE_ROWS: readonly AttributeRow[] = ROWS.map((each, index) => {
  const vip4 = `192.0.2.${index + 1}`;
  const vip6 = `2001:db8::${(index + 1).toString(16)}`;
  const saved = each.saved.map((line) => line.replaceAll('V4', vip4).replaceAll('V6', vip6));
  return { ...each, vip4, vip6, saved };
});

/** Rows as one store. */
export function attributeRecords(rows: readonly AttributeRow[] = ATTRIBUTE_ROWS): StoreContent {
  return contentOf(rows, ({ service, reals }) => ({ service, reals }));
}

/**
 * The same services and reals, by key, with other attributes throughout. What is there on one side only because the
 * kernel insists (persistence of every port, a tunnel to another family) is there on both.
 */
export function otherAttributeRecords(): StoreContent {
  return contentOf(ATTRIBUTE_ROWS, ({ service, reals }) => {
    const { match, scheduler, forward } = service;
    const everyPort = JSON.stringify(match).includes('"0"');
    const tunnelled = typeof forward === 'object';
    return {
      service: {
        match,
        scheduler: scheduler === 'lc' ? 'lblc' : 'lc',
        schedulerFlags: ['flag-2'],
        ...(everyPort ? { persistence: { timeout: '77s' } } : {}),
        ...(tunnelled ? { forward: { tunnel: 'gue', port: 7777, checksum: 'remote' } } : {}),
      },
      reals: Object.fromEntries(
        Object.entries(reals).map(([name, { address, port, forward: own }]) => {
          const kept = { address, ...(port === undefined ? {} : { port }) };
          const way = typeof own === 'object' ? { forward: { tunnel: 'ipip' } } : {};
          return [name, { ...kept, ...way, weight: 7, upperThreshold: 9, lowerThreshold: 8 }];
        }),
      ),
    };
  });
}

function contentOf(
  rows: readonly AttributeRow[],
  recordsOf: (row: AttributeRow) => Pick<AttributeRow, 'service' | 'reals'>,
): StoreContent {
  return Object.fromEntries(
    rows.flatMap((each, index): [string, unknown][] => {
      const { service, reals } = recordsOf(each);
      const name = `row-${index + 1}`;
      return [
        [`vips/${name}`, { addresses: [each.vip4, each.vip6] }],
        [`services/${name}`, { vip: name, ...service }],
        ...Object.entries(reals).map(([real, fields]): [string, unknown] => [`services/${name}/reals/${real}`, fields]),
      ];
    }),
  );
}
