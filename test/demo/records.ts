/** What the demo's operators write, by path under the root. */

export const WEB_VIP = '203.0.113.10';
export const API_VIP = '203.0.113.20';

export const ROUTER_ASN = 65_000;
export const AGENT_ASN = 65_010;

/** Host numbers on the LAN 10.1.0.0/24. */
export const LAN = { router: 1, desk: 8, store: 9, lb1: 11, lb2: 12, r1: 21, r2: 22, r3: 23 } as const;

export function lanAddress(host: keyof typeof LAN): string {
  return `10.1.0.${LAN[host]}`;
}

export const WEB_WEIGHTS = { r1: 1, r2: 1, r3: 2 } as const;
export type RealName = keyof typeof WEB_WEIGHTS;
export const REALS = Object.keys(WEB_WEIGHTS) as readonly RealName[];

export function webReal(name: RealName, change: object = {}): object {
  return { address: lanAddress(name), weight: WEB_WEIGHTS[name], ...change };
}

/** How the directors of the demo forward. */
export type DemoDataplane = 'ipvs' | 'nftables';

const SERVICE_WEB = {
  vip: 'web',
  match: { ports: ['80'] },
  scheduler: 'wrr',
  checks: ['web-ok'],
  health: { rise: 1, fall: 2 },
};

/** Everything, in the order in which an operator would write it. Rules of nf_tables cannot forward but by NAT. */
export function allRecords(dataplane: DemoDataplane): [path: string, record: object][] {
  const records: [string, object][] = [
    [
      'config/agents/_default',
      {
        labels: { pool: 'edge' },
        dataplane,
        bgp: {
          asn: AGENT_ASN,
          holdTime: '9s',
          gracefulRestart: '60s',
          connectRetry: '500ms',
          peers: { router: { address: lanAddress('router'), asn: ROUTER_ASN } },
        },
        verifyInterval: '10s',
        drainTimeout: '30s',
      },
    ],
    ['config/agents/lb1', { labels: { nat: 'yes' } }],
    ['config/checks/web-ok', { type: 'http', path: '/healthz', status: ['200'], interval: '1s', timeout: '800ms' }],
    ['config/vips/web', { addresses: [WEB_VIP], interface: 'lo', advertise: { communities: ['65010:80'] } }],
    ['config/vips/api', { addresses: [API_VIP], interface: 'lo' }],
    ['config/services/web', { ...SERVICE_WEB, forward: dataplane === 'ipvs' ? 'direct' : 'nat' }],
    [
      'config/services/api',
      { ...SERVICE_WEB, vip: 'api', forward: 'nat', scheduler: 'rr', agents: { pool: 'edge', nat: 'yes' } },
    ],
  ];
  for (const name of REALS) records.push([`config/services/web/reals/${name}`, webReal(name)]);
  for (const name of REALS) {
    records.push([`config/services/api/reals/${name}`, { address: lanAddress(name), port: 8080 }]);
  }
  return records;
}
