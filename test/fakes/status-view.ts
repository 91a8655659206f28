import type { RealView, ServiceView, StatusView, TrafficView } from '../../src/model/status.ts';

export function trafficView(changes: Partial<TrafficView> = {}): TrafficView {
  return {
    connections: 100,
    inPackets: 1_000,
    outPackets: 900,
    inBytes: 80_000,
    outBytes: 2_000_000,
    connectionsPerSecond: 1,
    inPacketsPerSecond: 10,
    outPacketsPerSecond: 9,
    inBytesPerSecond: 800,
    outBytesPerSecond: 20_000,
    ...changes,
  };
}

export function realView(name: string, changes: Partial<RealView> = {}): RealView {
  return {
    name,
    target: '10.0.0.11:8443',
    state: 'enabled',
    verdict: 'up',
    since: '2026-01-01T00:00:00.000Z',
    cause: 'https-ok: 200 in 3 ms',
    latencyMs: 3.25,
    configuredWeight: 10,
    weight: 10,
    kept: false,
    reason: 'up',
    activeConnections: 4,
    inactiveConnections: 2,
    persistentConnections: 1,
    traffic: trafficView(),
    drain: null,
    ...changes,
  };
}

export function serviceView(name: string, reals: readonly RealView[], changes: Partial<ServiceView> = {}): ServiceView {
  return {
    name,
    vip: 'web',
    state: 'enabled',
    scheduler: 'wlc',
    kernelServices: 2,
    quorum: 'held',
    quorumCause: '1 of 2 reals up, 1 wanted',
    sorry: false,
    connections: { active: 8, inactive: 4, persistent: 2 },
    traffic: trafficView({ connections: 4711 }),
    reals: [...reals],
    ...changes,
  };
}

/** A status with one of everything: a service with a real up and one down, a VIP, a peer, a problem, a hold. */
export function statusView(changes: Partial<StatusView> = {}): StatusView {
  const down: Partial<RealView> = {
    target: '10.0.0.12:8443',
    verdict: 'down',
    cause: 'https-ok: status 503, wanted 200-299',
    latencyMs: null,
    weight: 0,
    reason: 'down',
  };
  const progress = {
    since: '2026-01-01T01:00:00.000Z',
    connections: { active: 3, inactive: 1, persistent: 2 },
    deadline: '2026-01-01T01:05:00.000Z',
    done: false,
    reals: 1,
    realsDone: 0,
  };
  return {
    agent: 'lb1',
    version: '1.2.3',
    pid: 4242,
    startedAt: '2026-01-01T00:00:00.000Z',
    now: '2026-01-01T01:02:03.000Z',
    ready: true,
    notReady: [],
    store: {
      source: 'zookeeper',
      state: 'connected',
      since: '2026-01-01T00:00:01.000Z',
      session: '0x100000000000001',
      server: 'zk1:2181',
      lastError: null,
      publishing: 'ok',
    },
    configuration: {
      seenRevision: `sha256:${'a'.repeat(64)}`,
      acceptedRevision: `sha256:${'a'.repeat(64)}`,
      position: 'zxid 0x100000012',
      acceptedAt: '2026-01-01T01:00:00.000Z',
      origin: 'store',
      ageSeconds: 1.5,
    },
    problems: [
      {
        path: 'config/services/mail',
        field: 'match.ports[0]',
        found: '"smtp"',
        allowed: 'a port or a range',
        effect: 'last good version stays',
      },
    ],
    holds: [
      {
        revision: `sha256:${'b'.repeat(64)}`,
        why: '40 of 100 services lost within 10m',
        since: '2026-01-01T01:01:00.000Z',
        lost: ['mail', 'dns'],
      },
    ],
    drains: [
      { name: 'chg-1', target: 'web-https/b', by: 'ana', why: 'kernel upgrade', until: null, inForce: true, progress },
    ],
    vips: [
      {
        name: 'web',
        addresses: ['203.0.113.10', '2001:db8::10'],
        interface: 'lo',
        advertised: true,
        reason: 'web-https holds its quorum',
      },
    ],
    services: [serviceView('web-https', [realView('a'), realView('b', down)])],
    peers: [
      {
        name: 'tor1',
        address: '10.1.0.1',
        asn: 65_000,
        state: 'established',
        since: '2026-01-01T00:00:05.000Z',
        announced: 2,
        endOfRibSent: true,
        lastError: null,
        flaps: 3,
      },
    ],
    kernel: {
      adapter: 'ipvs',
      services: 2,
      destinations: 4,
      tableServices: 3,
      tableDestinations: 5,
      connectionEntries: 14,
      connectionTableSize: 4_096,
      version: '1.2.1',
      countedAt: '2026-01-01T01:02:02.000Z',
      foreignServices: ['tcp|192.0.2.99|80'],
      leaving: [{ service: 'tcp|203.0.113.10|443', real: '10.0.0.13|8443', until: '2026-01-01T01:05:00.000Z' }],
      leavingAddresses: [{ interface: 'lo', address: '203.0.113.9', until: null }],
      lastRead: '2026-01-01T01:02:00.000Z',
      lastApply: '2026-01-01T01:01:30.000Z',
      lastOps: 3,
      opsTotal: 17,
      repairsTotal: 1,
      repairsByKind: { 'service-gone': 1, 'real-edited': 0 },
      repairs: [
        { at: '2026-01-01T01:01:30.000Z', kind: 'service-gone', found: 'service tcp 203.0.113.10:443 is gone' },
      ],
      settings: [],
      failures: [],
    },
    history: [
      { at: '2026-01-01T01:01:00.000Z', what: 'real web/b is down', why: 'https-ok: connection refused' },
      { at: '2026-01-01T01:02:00.000Z', what: 'VIP web is announced', why: 'service web holds its quorum' },
    ],
    ...changes,
  };
}
