import { describe, expect, it } from 'vitest';
import { desiredAgent } from '../../../src/agent/policy/desired-agent.ts';
import type { DesiredAgent } from '../../../src/agent/policy/desired-state.ts';
import { settingKeyOf, settingText } from '../../../src/ipvs/settings/settings.ts';
import type { Problem } from '../../../src/model/problem.ts';
import { recordSet } from '../../fakes/records.ts';

function settings(
  own: unknown,
  base?: unknown,
  previous: DesiredAgent | null = null,
): { readonly agent: DesiredAgent; readonly problems: readonly Problem[] } {
  const content = {
    ...(base === undefined ? {} : { 'agents/_default': base }),
    ...(own === undefined ? {} : { 'agents/lb1': own }),
  };
  return desiredAgent('lb1', recordSet(content).agents, previous);
}

const bgp = (fields: object = {}) => ({ bgp: { asn: 65_010, ...fields } });
const peer = (fields: object = {}) => bgp({ peers: { tor1: { address: '10.1.0.1', asn: 65_000, ...fields } } });

describe('settings of an agent', () => {
  it('are built in where nothing is recorded', () => {
    const { agent, problems } = settings(undefined);
    expect(problems).toEqual([]);
    expect(agent).toEqual({
      name: 'lb1',
      sources: [],
      labels: {},
      bgp: null,
      dataplane: 'ipvs',
      limits: { maxDeleteShare: 0.3, maxDeleteCount: 2, windowMs: 600_000 },
      verifyIntervalMs: 60_000,
      kernel: [],
      drainTimeoutMs: 300_000,
      metrics: { reals: 20_000, traffic: 2_000 },
      overrides: {},
    });
  });

  it('are merged over _default, where null takes away', () => {
    const base = { ...peer(), limits: { maxDeleteCount: 9 }, labels: { pool: 'edge' }, drainTimeout: '1m' };
    const own = {
      labels: { zone: 'a', pool: null },
      limits: { window: '1h' },
      drainTimeout: null,
      _meta: { by: 'ana' },
    };
    const { agent, problems } = settings(own, base);
    expect(problems).toEqual([]);
    expect(agent).toMatchObject({
      sources: ['config/agents/_default', 'config/agents/lb1'],
      labels: { zone: 'a' },
      limits: { maxDeleteShare: 0.3, maxDeleteCount: 9, windowMs: 3_600_000 },
      kernel: [],
      drainTimeoutMs: 300_000,
      bgp: { asn: 65_010, holdTimeMs: 9_000, gracefulRestartMs: 30_000, peers: { tor1: { holdTimeMs: 9_000 } } },
    });
    expect(agent.labels).not.toHaveProperty('pool');
  });

  it('are validated after the merge, and the record that brought the fault is named', () => {
    const base = bgp({ holdTime: '1s' });
    expect(settings({ labels: {} }, base).problems).toMatchObject([
      { path: 'config/agents/_default', field: 'bgp.holdTime', found: '"1s"', effect: 'ignored' },
    ]);
    expect(settings(peer({ asn: 0 }), base).problems.map(({ path, field }) => `${path} ${field}`)).toContain(
      'config/agents/lb1 bgp.peers.tor1.asn',
    );
  });

  it('stay as they were when they turn bad, overrides included', () => {
    const good = settings({ ...peer(), overrides: { web: { state: 'drain' } } }).agent;
    const { agent, problems } = settings(peer({ addres: '10.1.0.2' }), undefined, good);
    expect(agent).toBe(good);
    expect(problems).toMatchObject([
      { path: 'config/agents/lb1', field: 'bgp.peers.tor1.addres', effect: 'last good version stays' },
    ]);
    expect(problems[0]?.allowed).toContain('"address"?');
  });

  it('that were never good leave _default in force', () => {
    expect(settings({ labels: 7 }, { labels: { pool: 'edge' } }).agent.labels).toEqual({ pool: 'edge' });
    expect(settings({ labels: 7 }, { labels: 8 }).agent.labels).toEqual({});
  });

  it.each([
    ['a hold time of 2 s', bgp({ holdTime: '2s' }), 'bgp.holdTime'],
    ['a hold time in fractions', bgp({ holdTime: '3500ms' }), 'bgp.holdTime'],
    ['a hold time beyond two octets', bgp({ holdTime: '65536s' }), 'bgp.holdTime'],
    ['a restart time beyond twelve bits', bgp({ gracefulRestart: '4096s' }), 'bgp.gracefulRestart'],
    ['a peer hold time of nothing', peer({ holdTime: '0s' }), 'bgp.peers.tor1.holdTime'],
    ['GTSM to a peer far away', peer({ ttlSecurity: 1, multihop: 4 }), 'bgp.peers.tor1.multihop'],
    ['a local address of the other family', peer({ localAddress: '2001:db8::1' }), 'bgp.peers.tor1.localAddress'],
    ['an IPv4 next hop for IPv6', peer({ nextHopIpv6: '10.0.0.1' }), 'bgp.peers.tor1.nextHopIpv6'],
    ['a router id of zero', bgp({ routerId: '0.0.0.0' }), 'bgp.routerId'],
    ['a multicast peer', peer({ address: '224.0.0.2' }), 'bgp.peers.tor1.address'],
    ['a window of no time', { limits: { window: '0s' } }, 'limits.window'],
    ['verifying all the time', { verifyInterval: '10ms' }, 'verifyInterval'],
  ])('%s is refused', (_name, own, field) => {
    expect(settings(own).problems.map((problem) => problem.field)).toEqual([field]);
  });

  it('refuses two peers at one address and port', () => {
    const peers = { a: { address: '2001:db8::1', asn: 1 }, b: { address: '2001:0db8::1', asn: 2 } };
    expect(settings(bgp({ peers })).problems).toMatchObject([{ field: 'bgp.peers.b.address' }]);
    const apart = { a: { address: '127.0.0.1', asn: 1 }, b: { address: '127.0.0.1', asn: 2, port: 1179 } };
    expect(settings(bgp({ peers: apart })).problems).toEqual([]);
  });

  it('takes the edges of what is allowed', () => {
    const own = { ...bgp({ holdTime: '65535s', gracefulRestart: '4095s' }), drainTimeout: '0s' };
    expect(settings(own).problems).toEqual([]);
  });

  it('ask for kernel settings, of which the preset is a part and `restore` the end', () => {
    const kernel = {
      preset: 'recommended',
      timeouts: { udp: '30s' },
      sysctls: { expire_quiescent_template: 0, sync_threshold: '3 50' },
      sync: { master: { interface: 'eth0', id: 7 } },
    };
    const { agent, problems } = settings({ kernel });
    expect(problems).toEqual([]);
    expect(agent.kernel.map((each) => `${settingKeyOf(each)} = ${settingText(each)}`)).toEqual([
      'timeout udp = 30s',
      'net.ipv4.vs.expire_nodest_conn = 1',
      'net.ipv4.vs.expire_quiescent_template = 0',
      'net.ipv4.vs.sync_threshold = 3 50',
      'sync master = eth0, id 7, group 224.0.0.81, port 8848, ttl 1',
    ]);
    expect(settings({ kernel: { restore: true } }, { kernel }).agent.kernel).toEqual([]);
  });

  it.each([
    [{ timeouts: { tcp: '1500ms' } }, 'kernel.timeouts.tcp'],
    [{ timeouts: { tcp: '21d' } }, 'kernel.timeouts.tcp'],
    [{ sync: { backup: { interface: 'eth0', group: '192.0.2.1' } } }, 'kernel.sync.backup.group'],
    [{ sysctls: { sync_threshold: '50 3' } }, 'kernel.sysctls.sync_threshold'],
    [{ sysctls: { conntrack: 2 } }, 'kernel.sysctls.conntrack'],
    [{ sysctls: { expire_nodest: 1 } }, 'kernel.sysctls.expire_nodest'],
  ])('refuse kernel settings that no kernel takes: %j', (kernel, field) => {
    expect(settings({ kernel }).problems.map((problem) => problem.field)).toEqual([field]);
  });
});
