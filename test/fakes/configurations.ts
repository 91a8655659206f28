import type { Desired, DesiredReal, DesiredService, DesiredVip } from '../../src/agent/policy/desired-state.ts';
import type { IpAddress } from '../../src/model/address.ts';

/** Desired states made by hand, for tests of what comes after `desired`. */

export function real(name: string, address: string, fields: Partial<DesiredReal> = {}): DesiredReal {
  return {
    name,
    address: address as IpAddress,
    port: null,
    weight: 10,
    state: 'enabled',
    forwarding: { method: 'nat' },
    checks: ['ok'],
    upperThreshold: 0,
    lowerThreshold: 0,
    created: '1',
    held: false,
    ...fields,
  };
}

export function service(
  name: string,
  reals: readonly DesiredReal[],
  fields: Partial<Omit<DesiredService, 'reals'>> = {},
): DesiredService {
  return {
    name,
    vip: 'shop',
    match: { kind: 'ports', ports: [{ first: 80, last: 80 }], protocols: ['tcp'] },
    state: 'enabled',
    scheduler: 'wlc',
    schedulerFlags: 0,
    onePacket: false,
    persistence: null,
    forwarding: { method: 'nat' },
    checks: ['ok'],
    health: { rise: 1, fall: 2, initial: 'unknown', whenDown: 'quiesce', floor: 0, slowStartMs: 0 },
    drain: { overMs: 0, timeoutMs: null },
    quorum: { unit: 'reals', value: 1, hysteresis: 0 },
    sorry: null,
    created: '1',
    held: false,
    ...fields,
    reals: Object.fromEntries(reals.map((one) => [one.name, one])),
  };
}

export function vip(name: string, addresses: readonly string[], fields: Partial<DesiredVip> = {}): DesiredVip {
  return {
    name,
    addresses: addresses as readonly IpAddress[],
    interface: 'lo',
    advertise: {
      when: 'any',
      communities: [],
      largeCommunities: [],
      med: null,
      localPref: null,
      prepend: 0,
      peers: null,
    },
    silenced: null,
    ...fields,
  };
}

export function ports(...numbers: readonly number[]): DesiredService['match'] {
  return { kind: 'ports', ports: numbers.map((port) => ({ first: port, last: port })), protocols: ['tcp'] };
}

/** A configuration of these services; VIP `shop` has 192.0.2.10 unless others are given. */
export function configuration(
  services: readonly DesiredService[],
  fields: Partial<Omit<Desired, 'services' | 'vips'>> & { readonly vips?: readonly DesiredVip[] } = {},
): Desired {
  const { vips = [vip('shop', ['192.0.2.10'])], ...rest } = fields;
  return {
    revision: 'sha256:1',
    agent: {
      name: 'lb1',
      sources: ['config/agents/lb1'],
      labels: {},
      bgp: {
        asn: 65_010,
        routerId: 'auto',
        holdTimeMs: 9_000,
        connectRetryMs: 2_000,
        gracefulRestartMs: 30_000,
        silenced: null,
        peers: {},
      },
      dataplane: 'memory',
      kernel: [],
      limits: { maxDeleteShare: 0.3, maxDeleteCount: 2, windowMs: 600_000 },
      verifyIntervalMs: 60_000,
      drainTimeoutMs: 300_000,
      metrics: { reals: 20_000, traffic: 2_000 },
      overrides: {},
    },
    checks: { ok: { type: 'tcp', intervalMs: 1_000, timeoutMs: 500 } },
    drains: {},
    ...rest,
    vips: Object.fromEntries(vips.map((one) => [one.name, one])),
    services: Object.fromEntries(services.map((one) => [one.name, one])),
  };
}
