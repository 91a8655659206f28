import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { Bootstrap } from '../../../src/model/bootstrap.ts';
import { AgentSettings } from '../../../src/model/records/agent.ts';
import { DrainRecord } from '../../../src/model/records/drain.ts';
import { RealRecord } from '../../../src/model/records/real.ts';
import { ServiceRecord } from '../../../src/model/records/service.ts';
import { VipRecord } from '../../../src/model/records/vip.ts';
import { validatorOf } from '../../../src/model/validate.ts';

const schemas = {
  vip: validatorOf(VipRecord),
  service: validatorOf(ServiceRecord),
  real: validatorOf(RealRecord),
  agent: validatorOf(AgentSettings),
  drain: validatorOf(DrainRecord),
  bootstrap: validatorOf(Bootstrap),
};

/** Problems as `field: found; allowed`. */
function problems(kind: keyof typeof schemas, value: unknown): string[] {
  const result = schemas[kind](value);
  return result.ok ? [] : result.error.map(({ field, found, allowed }) => `${field}: ${found}; ${allowed}`);
}

const HOST_ADDRESS =
  'the IPv4 or IPv6 address of one host, in full and without zone id ("192.0.2.1", "2001:db8::1"); ' +
  'not 0.0.0.0/8, multicast, reserved or link-local';

const service = (fields: object) => ({ vip: 'web', match: { ports: ['80'] }, ...fields });

describe('what a schema says about a wrong record', () => {
  it.each<[keyof typeof schemas, unknown, string[]]>([
    ['real', {}, [`address: nothing; ${HOST_ADDRESS}`]],
    ['real', { address: '010.1.1.1' }, [`address: "010.1.1.1"; ${HOST_ADDRESS}`]],
    ['real', { address: '239.1.1.1' }, [`address: "239.1.1.1"; ${HOST_ADDRESS}`]],
    ['real', { address: '0.0.0.0' }, [`address: "0.0.0.0"; ${HOST_ADDRESS}`]],
    ['vip', { addresses: ['192.0.2.1', 'ff02::1'] }, [`addresses[1]: "ff02::1"; ${HOST_ADDRESS}`]],
    ['vip', { addresses: ['fe80::1'] }, [`addresses[0]: "fe80::1"; ${HOST_ADDRESS}`]],
    ['service', service({ sorry: { address: '224.0.0.1' } }), [`sorry.address: "224.0.0.1"; ${HOST_ADDRESS}`]],
    ['real', { address: '10.0.0.1', port: 0 }, ['port: 0; a port, 1 to 65535']],
    ['real', { address: '10.0.0.1', port: '80' }, ['port: "80"; a port, 1 to 65535']],
    ['real', { address: '10.0.0.1', port: 80.5 }, ['port: 80.5; a port, 1 to 65535']],
    ['real', { address: '10.0.0.1', weight: -1 }, ['weight: -1; a whole number, 0 to 2147483647']],
    ['real', { address: '10.0.0.1', weight: 2_147_483_648 }, ['weight: 2147483648; a whole number, 0 to 2147483647']],
    [
      'real',
      JSON.parse('{"address":"10.0.0.1","weight":1e400}'),
      ['weight: Infinity; a whole number, 0 to 2147483647'],
    ],
    ['real', { address: '10.0.0.1', state: 'up' }, ['state: "up"; one of "enabled", "drain", "disabled"']],
    ['real', { address: '10.0.0.1', checks: ['a', 'a'] }, ['checks: ["a","a"]; a list of different names of checks']],
    [
      'real',
      { address: '10.0.0.1', forward: 'dsr' },
      ['forward: "dsr"; "nat", "direct" or { "tunnel": "ipip" | "gue" | "gre", … }'],
    ],
    [
      'real',
      { address: '10.0.0.1', forward: { tunnel: 'gue', prot: 6080 } },
      ['forward.prot: an unknown field "prot"; "port"? (known: tunnel, port, checksum)'],
    ],
    [
      'service',
      service({ match: { ports: ['80-70'] } }),
      ['match.ports[0]: "80-70"; a string with a port or a range, such as "443" or "8000-8010" ("0" = every port)'],
    ],
    [
      'service',
      service({ match: { ports: [80] } }),
      ['match.ports[0]: 80; a string with a port or a range, such as "443" or "8000-8010" ("0" = every port)'],
    ],
    [
      'service',
      service({ match: { ports: ['65536'] } }),
      ['match.ports[0]: "65536"; a string with a port or a range, such as "443" or "8000-8010" ("0" = every port)'],
    ],
    ['service', service({ match: { fwmark: 0 } }), ['match.fwmark: 0; a whole number, 1 to 4294967295']],
    [
      'service',
      service({ match: {} }),
      ['match: {}; { "ports": […], "protocols": […] } or { "fwmark": N, "families": […] }'],
    ],
    [
      'service',
      service({ agents: {} }),
      ['agents: {}; an object with at least one label (leave the field out for every agent)'],
    ],
    [
      'service',
      service({ quorum: { weigth: 5 } }),
      [
        'quorum.weight: nothing; a whole number, 1 to 2147483647',
        'quorum.weigth: an unknown field "weigth"; "weight"? (known: weight, hysteresis)',
      ],
    ],
    ['service', service({ health: { floor: 1.5 } }), ['health.floor: 1.5; a number, 0 to 1']],
    ['service', service({ health: { slowStart: '5' } }), ['health.slowStart: "5"; a duration from "0s" to "1d"']],
    ['service', service({ drain: { over: '2d' } }), ['drain.over: "2d"; a duration from "0s" to "1d"']],
    ['service', service({ drain: { timeout: '31d' } }), ['drain.timeout: "31d"; a duration from "0s" to "30d"']],
    [
      'service',
      service({ persistence: { timeout: '6' } }),
      ['persistence.timeout: "6"; a duration with its unit, such as "500ms", "2s", "5m"'],
    ],
    ['service', service({ persistence: { mask: 0 } }), ['persistence.mask: 0; a whole number, 1 to 32']],
    ['vip', { addresses: [] }, ['addresses: []; a list of 1 to 16 different addresses']],
    [
      'vip',
      { addresses: ['192.0.2.1'], advertise: { communities: ['65536:1'] } },
      [
        'advertise.communities[0]: "65536:1"; a community: "65000:100", "no-export", "no-advertise", "graceful-shutdown" or "blackhole"',
      ],
    ],
    [
      'vip',
      { adresses: ['192.0.2.1'] },
      [
        'addresses: nothing; a list of 1 to 16 different addresses',
        'adresses: an unknown field "adresses"; "addresses"? (known: addresses, interface, advertise, silenced, _meta)',
      ],
    ],
    [
      'drain',
      { target: 'web//a', by: 'ana', why: 'x' },
      ['target: "web//a"; "SERVICE/REAL", "SERVICE", "vip:VIP" or "agent:AGENT"'],
    ],
    [
      'drain',
      { target: 'web', by: 'ana', why: 'x', until: '2026-13-01T00:00:00Z' },
      ['until: "2026-13-01T00:00:00Z"; a time with its zone, such as "2026-12-01T10:00:00Z"'],
    ],
    ['agent', { bgp: { asn: 0 } }, ['bgp.asn: 0; an AS number, 1 to 4294967295']],
    [
      'agent',
      { bgp: { asn: 1, peers: { tor1: { address: '10.0.0.1', asn: 2, password: 'secret' } } } },
      ['bgp.peers.tor1.password: "secret"; a reference: "file:/path" (re-read when it changes) or "env:NAME"'],
    ],
    ['agent', { dataplane: 'xdp' }, ['dataplane: "xdp"; one of "ipvs", "ipvsadm", "nftables", "memory"']],
    ['bootstrap', { store: {} }, ['store: {}; { "zookeeper": … }, { "etcd": … } or { "directory": … }']],
    [
      'bootstrap',
      { store: { zookeper: { servers: ['zk1'] } } },
      [
        'store.zookeeper: nothing; an object',
        'store.zookeper: an unknown field "zookeper"; "zookeeper"? (known: operatorAuth, zookeeper)',
      ],
    ],
  ])('%s %j', (kind, value, expected) => {
    expect(problems(kind, value)).toEqual(expected);
  });

  it('names several faults at once, each once', () => {
    expect(
      problems('real', { address: 'x', port: -1, weight: 'y', extra: 1 }).map((text) => text.split(':')[0]),
    ).toEqual(expect.arrayContaining(['address', 'port', 'weight', 'extra']));
  });

  it('shortens what it quotes, and says at most twenty things', () => {
    const [long] = problems('real', { address: 'x'.repeat(1_000) });
    expect(long?.length).toBeLessThan(250);
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`unknown${index}`, index]));
    expect(problems('real', { address: '10.0.0.1', ...many })).toHaveLength(20);
  });

  it('takes _meta everywhere at the top, and nowhere below', () => {
    expect(problems('real', { address: '10.0.0.1', _meta: { owner: 'ana', deep: [{}] } })).toEqual([]);
    expect(problems('real', { address: '10.0.0.1', _meta: 'ana' })).toHaveLength(1);
    expect(problems('service', service({ health: { _meta: {} } }))).toHaveLength(1);
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', '__proto__'])('takes %s for an unknown field', (field) => {
    const record = JSON.parse(`{"address":"10.0.0.1","${field}":1}`) as unknown;
    expect(problems('real', record)).toHaveLength(1);
  });

  it('changes nothing in what it is given, and fills in what is left out', () => {
    const value = Object.freeze({ address: '10.0.0.1' });
    expect(schemas.real(value)).toEqual({
      ok: true,
      value: { address: '10.0.0.1', weight: 1, state: 'enabled', upperThreshold: 0, lowerThreshold: 0 },
    });
    expect(Object.keys(value)).toEqual(['address']);
  });

  it('falls back on the library where it has no words of its own', () => {
    const validate = validatorOf(Type.Object({ a: Type.Integer({ minimum: 3 }) }));
    expect(validate({ a: 1 })).toMatchObject({ ok: false, error: [{ field: 'a', found: '1' }] });
  });
});
