/*
 * One configuration that shows every kind of record. The reference prints these; a test decodes them all together
 * and accepts no problem.
 */

export const EXAMPLE_REVISION = 'b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184';

export const RECORD_EXAMPLES = {
  'config/vips/web': {
    addresses: ['203.0.113.10', '2001:db8::10'],
    interface: 'lo',
    advertise: { when: 'any', communities: ['65000:100'], med: 50 },
    silenced: { by: 'ana', why: 'CHG-1234' },
  },
  'config/services/web-https': {
    vip: 'web',
    match: { ports: ['443', '8000-8010'], protocols: ['tcp'] },
    scheduler: 'wlc',
    forward: 'nat',
    persistence: { timeout: '360s', mask: 24 },
    checks: ['https-ok'],
    health: { rise: 2, fall: 3, floor: 0.5, slowStart: '30s' },
    quorum: { weight: 20, hysteresis: 5 },
    sorry: { address: '10.9.9.9', port: 80 },
    agents: { pool: 'edge' },
  },
  'config/services/web-https/reals/a': { address: '10.0.0.11', port: 8443, weight: 10, _meta: { owner: 'team-web' } },
  'config/services/web-https/reals/b': { address: '10.0.0.12', port: 8443, weight: 20 },
  'config/services/web-https/reals/c': { address: '10.0.0.13', port: 8443, weight: 20 },
  'config/checks/https-ok': {
    type: 'https',
    path: '/healthz',
    status: ['200-299'],
    interval: '2s',
    timeout: '1s',
  },
  'config/agents/_default': {
    labels: { pool: 'edge' },
    limits: { maxDeleteShare: 0.3, maxDeleteCount: 2, window: '10m' },
  },
  'config/agents/lb1': {
    labels: { zone: 'a' },
    bgp: {
      asn: 65010,
      holdTime: '9s',
      gracefulRestart: '30s',
      peers: {
        tor1: { address: '10.1.0.1', asn: 65000, password: 'file:/etc/vipkeeper/tor1', ttlSecurity: 1 },
      },
    },
    overrides: { 'web-https': { reals: { a: { weight: 0 } } } },
  },
  'config/drains/chg-1234': {
    target: 'web-https/a',
    by: 'ana',
    why: 'kernel upgrade',
    until: '2026-12-01T10:00:00Z',
    onExpiry: 'undrain',
  },
  [`config/approvals/${EXAMPLE_REVISION}`]: { by: 'ana', why: 'CHG-1300 takes the old services away' },
} as const;

export const HEALTH_EXAMPLE = {
  v: 1,
  agent: 'lb1',
  session: '0x1000a3c5d2f0001',
  revision: `sha256:${EXAMPLE_REVISION}`,
  at: '2026-11-30T09:15:02.114Z',
  validUntil: '2026-11-30T09:16:32.114Z',
  quorum: 'held',
  advertised: true,
  reals: {
    a: {
      target: '10.0.0.11:8443',
      verdict: 'up',
      since: '2026-11-30T08:00:11.020Z',
      cause: 'https-ok: 200 in 3 ms',
      weight: 10,
      state: 'enabled',
    },
  },
} as const;

export const AGENT_STATE_EXAMPLE = {
  v: 1,
  agent: 'lb1',
  session: '0x1000a3c5d2f0001',
  version: '0.1.0',
  startedAt: '2026-11-30T08:00:09.501Z',
  at: '2026-11-30T09:15:02.114Z',
  seenRevision: `sha256:${EXAMPLE_REVISION}`,
  acceptedRevision: `sha256:${EXAMPLE_REVISION}`,
  position: 'zxid 0x100000012',
  ready: true,
  notReady: [],
  problems: [
    {
      path: 'config/services/mail',
      field: 'match.ports[0]',
      found: '"smtp"',
      allowed: 'a string with a port or a range, such as "443" or "8000-8010" ("0" = every port)',
      effect: 'last good version stays',
    },
  ],
  problemCount: 1,
  holds: [],
  drains: {
    'chg-1234': {
      target: 'web-https/a',
      reals: 1,
      realsDone: 0,
      since: '2026-11-30T09:30:00.000Z',
      connections: { active: 12, inactive: 3, persistent: 40 },
      deadline: '2026-11-30T09:35:00.000Z',
      done: false,
    },
  },
  peers: {
    tor1: { address: '10.1.0.1', state: 'established', since: '2026-11-30T08:00:12.800Z', announced: 2 },
  },
} as const;
