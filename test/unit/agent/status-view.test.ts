import { describe, expect, it, vi } from 'vitest';
import type { IntakeView } from '../../../src/agent/config-intake.ts';
import { newCounters } from '../../../src/agent/counters.ts';
import { TrafficLedger } from '../../../src/agent/traffic-ledger.ts';
import type { KernelReport } from '../../../src/agent/kernel-report.ts';
import type { PassView } from '../../../src/agent/reconciler.ts';
import { routesFor } from '../../../src/agent/policy/routes.ts';
import type { SettingsReport } from '../../../src/agent/settings-driver.ts';
import { statusView } from '../../../src/agent/status-view.ts';
import type { StatusInput } from '../../../src/agent/status-view.ts';
import type { ActualService, DataplaneState, ServiceKey } from '../../../src/ipvs/dataplane.ts';
import { address } from '../../fakes/bgp-settings.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { Decisions, verdictsBy } from '../../fakes/decisions.ts';
import { kernelState } from '../../fakes/model-kernel.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const FOREIGN = 'tcp|192.0.2.99|25' as ServiceKey;
const DESIRED = configuration([
  service('web', [real('a', '10.0.0.1'), real('b', '10.0.0.2')], { match: ports(80, 81) }),
]);

/** Every destination has 3 active and 2 inactive connections, every service has scheduled 100. */
const KERNEL: DataplaneState = new Map(
  [
    ...kernelState({
      'tcp|192.0.2.10|80': { '10.0.0.1|80': 10, '10.0.0.2|80': 0 },
      'tcp|192.0.2.10|81': { '10.0.0.1|81': 10, '10.0.0.2|81': 0 },
      [FOREIGN]: { '10.9.9.9|25': 1 },
    }),
  ].map(([key, each]): [ServiceKey, ActualService] => [
    key,
    {
      ...each,
      stats: { ...each.stats, connections: 100n },
      destinations: new Map(
        [...each.destinations].map(([name, one]) => [
          name,
          { ...one, activity: { ...one.activity, activeConnections: 3, inactiveConnections: 2 } },
        ]),
      ),
    },
  ]),
);

const INTAKE: IntakeView = {
  origin: 'store',
  seenRevision: 'sha256:1',
  position: 'zxid 0x7',
  rootExists: true,
  acceptedAt: NOW - 60_000,
  confirmedAt: NOW - 60_000,
  problems: [],
  hold: null,
  failure: null,
};

const SETTINGS: SettingsReport = { wanted: [], actual: null, found: {}, drifts: new Map(), failures: [] };

const REPORT: KernelReport = {
  adapter: 'ipvs',
  info: { version: '1.2.1', connectionTableSize: 4_096 },
  picture: { services: KERNEL, addresses: [] },
  foreign: [FOREIGN],
  leaving: [],
  leavingAddresses: [
    { interface: 'lo', address: address('192.0.2.20'), until: NOW },
    { interface: 'lo', address: address('192.0.2.21'), until: null },
  ],
  lastRead: NOW - 1_000,
  lastApply: null,
  lastOps: 0,
  failures: [],
  repairs: [{ at: NOW - 2_000, kind: 'real-gone', text: 'real 10.0.0.1:80 is gone' }],
  repairCounts: new Map([
    ['real-gone', 1],
    ['real-edited', 1],
  ]),
  hindrances: [],
};

function pass(): PassView {
  const decisions = new Decisions();
  decisions.now = NOW - 30_000;
  const effective = decisions.decide(DESIRED, { '10.0.0.1': 'up', '10.0.0.2': 'down' });
  return { desired: DESIRED, effective, vips: routesFor(DESIRED, effective, null).vips, complete: true };
}

function status(changes: Partial<StatusInput> = {}) {
  return statusView({
    agent: 'lb1',
    version: '0',
    pid: 1,
    startedAt: NOW - 3_600_000,
    now: NOW,
    sourceName: 'zookeeper',
    session: { kind: 'connected', since: NOW - 3_000_000, session: '0x1', server: 'zk1:2181' },
    publishing: { kind: 'ok' },
    intake: INTAKE,
    accepted: DESIRED,
    pass: pass(),
    verdicts: verdictsBy(DESIRED, { '10.0.0.1': 'up', '10.0.0.2': 'down' }),
    passFailure: null,
    kernel: REPORT,
    settings: SETTINGS,
    advice: [],
    peers: [],
    routeFailures: [],
    counters: { ...newCounters(), operations: 17 },
    history: [{ at: NOW - 1_000, what: 'real web/b is down', why: 'ok: it is down' }],
    ledger: new TrafficLedger(),
    countedAt: NOW - 500,
    ...changes,
  });
}

const LOST = { kind: 'connecting', since: NOW - 5_000, lastError: 'connection refused' } as const;

describe('readiness', () => {
  it('puts services together once somebody looks at them, and once only', () => {
    const ledger = new TrafficLedger();
    const ofReal = vi.spyOn(ledger, 'ofReal');
    const view = status({ ledger });
    expect(view.ready).toBe(true);
    expect(ofReal).not.toHaveBeenCalled();
    expect(view.services).toBe(view.services);
    expect(ofReal).toHaveBeenCalledTimes(2);
  });

  it('is given when all is as it should be', () => {
    expect(status()).toMatchObject({ ready: true, notReady: [] });
  });

  it('is not taken away by a store that is lost, while something is in force', () => {
    expect(status({ session: LOST, intake: { ...INTAKE, failure: 'STORE_UNREACHABLE: gone' } }).ready).toBe(true);
  });

  it('is not taken away by a hold: what is in force is served', () => {
    const hold = { revision: 'sha256:2', why: '9 of 10', since: NOW, lost: ['service web'], lostCount: 1 };
    const { ready, holds } = status({ intake: { ...INTAKE, hold } });
    expect(ready).toBe(true);
    expect(holds).toEqual([
      { revision: 'sha256:2', why: '9 of 10', since: '2026-01-01T01:00:00.000Z', lost: ['service web'] },
    ]);
  });

  const nothing = { accepted: null, pass: null } as const;
  it.each<[string, Partial<StatusInput>, RegExp]>([
    ['a store not read yet', { ...nothing, intake: { ...INTAKE, rootExists: null } }, /has not been read/],
    ['a store without our root', { ...nothing, intake: { ...INTAKE, rootExists: false } }, /root is not in the store/],
    ['a store that fails', { ...nothing, intake: { ...INTAKE, failure: 'STORE_FORBIDDEN: no' } }, /^STORE_FORBIDDEN/],
    ['no pass yet', { pass: null }, /first pass/],
    ['a pass that broke off', { passFailure: 'a defect' }, /broke off: a defect/],
    ['the kernel', { kernel: { ...REPORT, failures: ['EPERM', 'x', 'y'] } }, /^dataplane: EPERM \(and 2 more\)$/],
    ['a host that does not forward', { kernel: { ...REPORT, hindrances: ['x is 0'] } }, /^dataplane: x is 0$/],
    ['BGP', { routeFailures: ['peer tor1: no password'] }, /^bgp: peer tor1: no password$/],
    [
      'a name that is taken for good',
      { publishing: { kind: 'contested', session: '0x9', since: NOW, final: true } },
      /name lb1 \(session 0x9\)/,
    ],
  ])('is taken away by %s, with the reason', (_what, changes, reason) => {
    const { ready, notReady } = status(changes);
    expect(ready).toBe(false);
    expect(notReady).toEqual([expect.stringMatching(reason)]);
  });

  it('names the scheduler that stands in for one that an adapter does not have', () => {
    const scheduler = (adapter: string) => status({ kernel: { ...REPORT, adapter } }).services[0]?.scheduler;
    expect([scheduler('ipvs'), scheduler('nftables')]).toEqual(['wlc', 'wlc (as wrr)']);
  });

  it('is not taken away by a name that may yet come free', () => {
    const { ready, store } = status({ publishing: { kind: 'contested', session: '0x9', since: NOW, final: false } });
    expect(ready).toBe(true);
    expect(store.publishing).toMatch(/^waiting for session 0x9.*2026-01-01T01:00:00/);
  });
});

describe('the age of the configuration', () => {
  it('is nothing while the session stands, whenever the last edit was', () => {
    expect(status().configuration.ageSeconds).toBe(0);
  });

  it.each<[string, Partial<StatusInput>]>([
    ['the session is lost', { session: LOST }],
    ['the store cannot be read', { intake: { ...INTAKE, failure: 'STORE_FORBIDDEN: no' } }],
    ['it is the last known good', { intake: { ...INTAKE, origin: 'last-known-good' } }],
  ])('counts from the last confirmation when %s', (_why, changes) => {
    expect(status(changes).configuration.ageSeconds).toBe(60);
  });

  it('is unknown while nothing is in force', () => {
    expect(status({ accepted: null, pass: null }).configuration).toMatchObject({
      ageSeconds: null,
      acceptedRevision: null,
    });
  });
});

describe('what is shown', () => {
  it('of a service are its connections over all of its kernel services', () => {
    const ledger = new TrafficLedger();
    ledger.take(pass().effective, [], KERNEL);
    expect(status({ ledger }).services).toMatchObject([
      {
        name: 'web',
        kernelServices: 2,
        connections: { active: 12, inactive: 8, persistent: 0 },
        traffic: { connections: 200, outBytes: 0 },
        quorum: 'held',
        reals: [
          { name: 'a', verdict: 'up', weight: 10, activeConnections: 6, inactiveConnections: 4 },
          { name: 'b', verdict: 'down', weight: 0, activeConnections: 6, since: '2026-01-01T00:59:30.000Z' },
        ],
      },
    ]);
  });

  it('of the kernel is what is ours, and by name what is not', () => {
    expect(status().kernel).toMatchObject({
      adapter: 'ipvs',
      services: 2,
      destinations: 4,
      tableServices: 3,
      connectionEntries: 25,
      connectionTableSize: 4_096,
      version: '1.2.1',
      countedAt: '2026-01-01T00:59:59.500Z',
      foreignServices: ['tcp 192.0.2.99:25'],
      leavingAddresses: [
        { interface: 'lo', address: '192.0.2.20', until: '2026-01-01T01:00:00.000Z' },
        { interface: 'lo', address: '192.0.2.21', until: null },
      ],
      opsTotal: 17,
      repairsTotal: 2,
      repairsByKind: { 'real-gone': 1, 'real-edited': 1 },
      repairs: [{ kind: 'real-gone', found: 'real 10.0.0.1:80 is gone' }],
      lastRead: '2026-01-01T00:59:59.000Z',
      lastApply: null,
    });
  });

  it('of a kernel that cannot be read is nothing, without a crash', () => {
    const { kernel, services } = status({ kernel: { ...REPORT, picture: null } });
    expect(kernel).toMatchObject({ services: 0, destinations: 0, foreignServices: [FOREIGN] });
    expect(services[0]?.connections).toEqual({ active: 0, inactive: 0, persistent: 0 });
  });

  it('of drains is their target in the words of the records', () => {
    const common = { by: 'ana', why: 'upgrade', until: NOW, onExpiry: 'undrain' } as const;
    const drains = {
      a: { name: 'a', target: { kind: 'real', service: 'web', real: 'a' }, ...common },
      b: { name: 'b', target: { kind: 'service', service: 'web' }, ...common },
      c: { name: 'c', target: { kind: 'vip', vip: 'shop' }, ...common },
      d: { name: 'd', target: { kind: 'agent', agent: 'lb1' }, ...common, until: null },
    } as const;
    const shown = status({ accepted: { ...DESIRED, drains } }).drains;
    expect(shown.map(({ target }) => target)).toEqual(['web/a', 'web', 'vip:shop', 'agent:lb1']);
    expect(shown.map(({ until }) => until)).toContain('2026-01-01T01:00:00.000Z');
    expect(shown.at(-1)?.until).toBeNull();
  });

  it('of the store is who we are to it, or why we are not connected', () => {
    expect(status().store).toMatchObject({ state: 'connected', session: '0x1', server: 'zk1:2181', publishing: 'ok' });
    expect(status({ session: LOST, publishing: { kind: 'offline', why: 'gone' } }).store).toMatchObject({
      state: 'connecting',
      session: null,
      lastError: 'connection refused',
      publishing: 'gone',
    });
    expect(status({ session: { kind: 'closed' } }).store).toMatchObject({ state: 'closed', since: null });
  });

  it('of the store is why its configuration cannot be read, though the session stands', () => {
    const failure = 'STORE_TOO_LARGE: config/ holds more than 10 records';
    expect(status().store.lastError).toBeNull();
    expect(status({ intake: { ...INTAKE, failure } }).store).toMatchObject({ state: 'connected', lastError: failure });
  });
});
