import { describe, expect, it } from 'vitest';
import { expand } from '../../../src/agent/policy/expansion.ts';
import { SHOP, build } from '../../fakes/records.ts';
import type { StoreContent } from '../../fakes/records.ts';

/** What of a record the rules between its fields complain about: `field: found (effect)`. */
function complaints(content: StoreContent): string[] {
  return build(content).problems.map(({ field, found, effect }) => `${field}: ${found} (${effect})`);
}

const service = (fields: object): StoreContent => ({
  ...SHOP,
  'services/web': { vip: 'shop', match: { ports: ['80'] }, checks: ['ok'], ...fields },
});
const real = (fields: object, serviceFields: object = {}): StoreContent => ({
  ...service(serviceFields),
  'services/web/reals/a': { address: '10.0.0.1', weight: 10, ...fields },
});

describe('rules between the fields of a service', () => {
  const udp = { match: { ports: ['80'], protocols: ['udp'] } };
  it.each([
    ['one packet for tcp', { onePacket: true }, ['onePacket: true (ignored)']],
    ['one packet for udp', { onePacket: true, ...udp }, []],
    ['one packet for a mark', { onePacket: true, match: { fwmark: 7 }, checks: [] }, []],
    [
      'every port without persistence',
      { match: { ports: ['0'] }, checks: [] },
      ['match.ports: port 0 (every port) (ignored)'],
    ],
    ['every port with persistence', { match: { ports: ['0'] }, checks: [], persistence: {} }, []],
    [
      'a flag of another scheduler',
      { scheduler: 'sh', schedulerFlags: ['sh-port', 'mh-port'] },
      ['schedulerFlags[1]: "mh-port" (ignored)'],
    ],
    [
      'a third flag for a scheduler that has two',
      { scheduler: 'mh', schedulerFlags: ['mh-port', 'flag-3'] },
      ['schedulerFlags[1]: "flag-3" (ignored)'],
    ],
    ['flags by number', { scheduler: 'wrr', schedulerFlags: ['flag-1', 'flag-3'] }, []],
    [
      'a fraction of a second of persistence',
      { persistence: { timeout: '1500ms' } },
      ['persistence.timeout: "1.5s" (ignored)'],
    ],
    ['no persistence at all', { persistence: { timeout: '0s' } }, ['persistence.timeout: "0s" (ignored)']],
    [
      'persistence beyond what the kernel counts',
      { persistence: { timeout: '32d' } },
      ['persistence.timeout: "2764800s" (ignored)'],
    ],
    ['sip over tcp', { persistence: { engine: 'sip' } }, ['persistence.engine: "sip" (ignored)']],
    ['sip over udp', { persistence: { engine: 'sip' }, ...udp }, []],
    ['a gue tunnel without port', { forward: { tunnel: 'gue' } }, ['forward.port: nothing (ignored)']],
    ['a port for ipip', { forward: { tunnel: 'ipip', port: 4 } }, ['forward.port: 4 (ignored)']],
    ['a checksum for ipip', { forward: { tunnel: 'ipip', checksum: 'full' } }, ['forward.checksum: "full" (ignored)']],
    [
      'remote checksums for gre',
      { forward: { tunnel: 'gre', checksum: 'remote' } },
      ['forward.checksum: "remote" (ignored)'],
    ],
    ['remote checksums for gue', { forward: { tunnel: 'gue', port: 6080, checksum: 'remote' } }, []],
    ['too many kernel services', { match: { ports: ['1-4097'] } }, ['match: 4097 kernel services (ignored)']],
    ['as many kernel services as there may be', { match: { ports: ['1-4096'] } }, []],
    [
      'a sorry server of no family here',
      { sorry: { address: '2001:db8::9' } },
      ['sorry.address: "2001:db8::9" (ignored)'],
    ],
    ['a sorry server through a tunnel', { sorry: { address: '2001:db8::9', forward: { tunnel: 'ipip' } } }, []],
    [
      'another port for a sorry server by direct routing',
      { sorry: { address: '10.9.9.9', port: 81, forward: 'direct' } },
      ['sorry.port: 81 (ignored)'],
    ],
    ['a quorum that reals can never reach', { quorum: { weight: 31 } }, ['quorum.weight: 31 (in force)']],
    [
      'a quorum that can never be gained',
      { quorum: { reals: 2, hysteresis: 2 } },
      ['quorum.reals: 2 + 2 (in force)', 'quorum.hysteresis: 2 (in force)'],
    ],
    ['a quorum of just all', { quorum: { weight: 30 } }, []],
  ])('%s', (_name, fields, expected) => {
    expect(complaints(service(fields))).toEqual(expected);
  });
});

describe('rules for a real in its service', () => {
  it.each([
    ['the port of the service by direct routing', { port: 80 }, { forward: 'direct' }, []],
    ['another port by direct routing', { port: 81 }, { forward: 'direct' }, ['port: 81 (ignored)']],
    ['another port by NAT', { port: 8080 }, {}, []],
    [
      'one of two ports by direct routing',
      { port: 80 },
      { match: { ports: ['80', '81'] }, forward: 'direct' },
      ['port: 80 (ignored)'],
    ],
    [
      'a port in a service on every port',
      { port: 80 },
      { match: { ports: ['0'] }, persistence: {}, checks: [] },
      ['port: 80 (ignored)'],
    ],
    ['a port behind a mark', { port: 80 }, { match: { fwmark: 7 }, checks: [] }, []],
    [
      'a port behind a mark with persistence',
      { port: 80 },
      { match: { fwmark: 7 }, persistence: {}, checks: [] },
      ['port: 80 (ignored)'],
    ],
    [
      'a port behind a mark by direct routing',
      { port: 80 },
      { match: { fwmark: 7 }, forward: 'direct', checks: [] },
      ['port: 80 (ignored)'],
    ],
    ['the other family', { address: '2001:db8::1' }, {}, ['address: "2001:db8::1" (ignored)']],
    ['the other family through a tunnel', { address: '2001:db8::1', forward: { tunnel: 'gre' } }, {}, []],
    [
      'an IPv6 real behind an IPv4 mark',
      { address: '2001:db8::1' },
      { match: { fwmark: 7 }, checks: [] },
      ['address: "2001:db8::1" (ignored)'],
    ],
    ['thresholds upside down', { upperThreshold: 5, lowerThreshold: 6 }, {}, ['lowerThreshold: 6 (ignored)']],
    ['a lower threshold without an upper one', { lowerThreshold: 6 }, {}, ['lowerThreshold: 6 (ignored)']],
    ['a check that does not exist', { checks: ['ok', 'oj'] }, {}, ['checks[1]: "oj" (ignored)']],
  ])('%s', (_name, fields, serviceFields, expected) => {
    expect(complaints(real(fields, serviceFields))).toEqual(expected);
  });

  it('asks for a port where the check would have none to probe', () => {
    const mark = { match: { fwmark: 7 } };
    expect(complaints(service(mark))).toEqual(Array.from({ length: 3 }, () => 'checks: no port to probe (ignored)'));
    expect(complaints({ ...service(mark), 'checks/ok': { type: 'tcp', port: 80 } })).toEqual([]);
  });

  it('mixes no families while the kernel synchronises connections', () => {
    const sync = { 'agents/lb1': { kernel: { sync: { master: { interface: 'eth1' } } } } };
    const tunnel = { address: '2001:db8::1', forward: { tunnel: 'ipip' } };
    expect(complaints({ ...real(tunnel), ...sync })).toEqual(['address: "2001:db8::1" (ignored)']);
    const both = { ...real(tunnel), ...sync, 'vips/shop': { addresses: ['192.0.2.10', '2001:db8::10'] } };
    const { desired, problems } = build(both);
    expect(problems).toEqual([]);
    const kernel = expand(desired).services.get('web')?.kernel ?? [];
    const held = kernel.map(({ key, destinations }) => [key, destinations.map((one) => one.real)]);
    expect(held).toEqual([
      ['tcp|192.0.2.10|80', ['b', 'c']],
      ['tcp|2001:db8::10|80', ['a']],
    ]);
  });

  it('takes an IPv6 real for a VIP with both families', () => {
    const content = { ...real({ address: '2001:db8::1' }), 'vips/shop': { addresses: ['192.0.2.10', '2001:db8::10'] } };
    expect(complaints(content)).toEqual([]);
  });
});
