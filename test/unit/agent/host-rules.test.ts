import { describe, expect, it } from 'vitest';
import { HostAdvice } from '../../../src/agent/host-advice.ts';
import { hostFindings, hostRules } from '../../../src/agent/policy/host-rules.ts';
import type { Desired, DesiredService, DesiredVip } from '../../../src/agent/policy/desired-state.ts';
import type { InterfaceAddress } from '../../../src/ipvs/addresses.ts';
import { address } from '../../contract/dataplane-samples.ts';
import { configuration, real, service, vip } from '../../fakes/configurations.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const on = (name: string, text: string, prefixLength: number): InterfaceAddress => {
  return { interface: name, address: address(text), prefixLength, marked: false };
};
const HOST = [on('lo', '127.0.0.1', 8), on('eth0.5', '10.0.0.1', 24), on('eth1', '198.51.100.1', 24)];

/** Everything as a fresh kernel has it. */
const FRESH = {
  'net.ipv4.ip_forward': '0',
  'net.ipv6.conf.all.forwarding': '0',
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.eth0/5.rp_filter': '0',
  'net.ipv4.conf.eth1.rp_filter': '0',
  'net.ipv4.conf.all.arp_ignore': '0',
  'net.ipv4.conf.eth0/5.arp_ignore': '0',
  'net.ipv4.conf.eth1.arp_ignore': '0',
  'net.ipv4.conf.all.arp_announce': '0',
  'net.ipv4.conf.eth0/5.arp_announce': '0',
  'net.ipv4.vs.expire_nodest_conn': '0',
  'net.ipv4.vs.expire_quiescent_template': '0',
};

type Values = Partial<Record<keyof typeof FRESH, string>>;

function onIpvs(services: readonly DesiredService[], vips: readonly DesiredVip[]): Desired {
  const desired = configuration(services, { vips });
  return { ...desired, agent: { ...desired.agent, dataplane: 'ipvs' } };
}

function said(
  services: readonly DesiredService[],
  values: Values = {},
  vips: readonly DesiredVip[] = [vip('shop', ['192.0.2.10'])],
  addresses = HOST,
): string[] {
  const rules = hostRules(onIpvs(services, vips), addresses);
  return hostFindings(rules, new Map(Object.entries({ ...FRESH, ...values }))).map(
    ({ path, field, found }) => `${path}: ${field.split(', ').at(-1) ?? ''} = ${found}`,
  );
}

const NAT = service('web', [real('a', '10.0.0.11')]);
const DIRECT = service('web', [real('a', '10.0.0.11', { forwarding: { method: 'direct' } })]);
const FORWARD = 'config/services/web: net.ipv4.ip_forward = 0';

describe('what the records ask of the host', () => {
  it('is forwarding with NAT, of the family of the real', () => {
    expect(said([NAT])).toEqual([FORWARD]);
    expect(said([NAT], { 'net.ipv4.ip_forward': '1' })).toEqual([]);
    expect(said([service('six', [real('a', '2001:db8::11')])])).toEqual([
      'config/services/six: net.ipv6.conf.all.forwarding = 0',
    ]);
    expect(said([service('own', [real('a', '127.0.0.1'), real('b', '10.0.0.1')])])).toEqual([]);
    expect(said([DIRECT])).toEqual([]);
  });

  it('is no strict reverse path filter with direct routing and tunnels: the larger value counts', () => {
    const strict = { 'net.ipv4.conf.eth1.rp_filter': '1' };
    expect(said([DIRECT], strict)).toEqual(['config/services/web: net.ipv4.conf.eth1.rp_filter = 1']);
    expect(said([DIRECT], { ...strict, 'net.ipv4.conf.all.rp_filter': '2' })).toEqual([]);
    expect(said([DIRECT], { 'net.ipv4.conf.all.rp_filter': '1' }).length).toBe(2);
    expect(said([NAT], strict)).toEqual([FORWARD]);
  });

  it('is silence on a link in whose network a VIP of another interface lies', () => {
    const inside = [vip('shop', ['10.0.0.100']), vip('other', ['10.0.0.101'])];
    expect(said([DIRECT], {}, inside)).toEqual([
      'config/vips/shop: net.ipv4.conf.eth0/5.arp_ignore = 0',
      'config/vips/shop: net.ipv4.conf.eth0/5.arp_announce = 0',
    ]);
    const quiet = { 'net.ipv4.conf.all.arp_ignore': '1', 'net.ipv4.conf.all.arp_announce': '2' };
    expect(said([DIRECT], quiet, inside)).toEqual([]);
    expect(said([DIRECT], {}, [vip('shop', ['10.0.1.100'])])).toEqual([]);
  });

  it('is an answer on the link that carries the VIP', () => {
    const carried = [{ ...vip('shop', ['10.0.0.100']), interface: 'eth0.5' }];
    expect(said([DIRECT], {}, carried)).toEqual([]);
    expect(said([DIRECT], { 'net.ipv4.conf.eth0/5.arp_ignore': '8' }, carried)).toEqual([
      'config/vips/shop: net.ipv4.conf.eth0/5.arp_ignore = 8',
    ]);
  });

  it('is what the policy needs of IPVS', () => {
    const udp = { kind: 'ports', ports: [{ first: 53, last: 53 }], protocols: ['udp'] } as const;
    const health = { ...NAT.health, whenDown: 'remove' } as const;
    const dns = service('dns', [], { match: udp, health });
    expect(said([dns])).toEqual(['config/services/dns: net.ipv4.vs.expire_nodest_conn = 0']);
    expect(said([dns], { 'net.ipv4.vs.expire_nodest_conn': '1' })).toEqual([]);
    expect(said([service('dns', [], { match: udp })])).toEqual([]);
    expect(said([service('web', [], { health })])).toEqual([]);
    const persistence = { timeoutSeconds: 300, mask: 32, prefixLength: 128, engine: null } as const;
    expect(said([service('web', [], { persistence })])).toEqual([
      'config/services/web: net.ipv4.vs.expire_quiescent_template = 0',
    ]);
    expect(said([service('web', [], { persistence, health })])).toEqual([]);
  });

  it('is nothing where the kernel has no such setting', () => {
    expect(hostFindings(hostRules(configuration([NAT]), HOST), new Map())).toEqual([]);
  });

  it('is looked at again with every verification, and for every new configuration', () => {
    const clock = new ManualClock();
    let forwarding = '0';
    const advice = new HostAdvice({
      sysctls: { read: (name) => (name.endsWith('ip_forward') ? forwarding : null) },
      clock,
    });
    const base = configuration([NAT]);
    const desired = { ...base, agent: { ...base.agent, dataplane: 'ipvs' } } as const;
    advice.look(desired, null, 60_000);
    expect(advice.problems()).toEqual([]);
    advice.look(desired, HOST, 60_000);
    expect(advice.problems()).toMatchObject([{ field: 'net.ipv4.ip_forward', effect: 'in force' }]);
    forwarding = '1';
    advice.look(desired, HOST, 60_000);
    expect(advice.problems().length).toBe(1);
    clock.advance(60_000);
    advice.look(desired, HOST, 60_000);
    expect(advice.problems()).toEqual([]);
    forwarding = '0';
    advice.look({ ...desired, agent: { ...desired.agent, dataplane: 'memory' } }, HOST, 60_000);
    expect(advice.problems()).toEqual([]);
  });
});
