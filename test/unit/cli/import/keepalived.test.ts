import { describe, expect, it } from 'vitest';
import type { Imported } from '../../../../src/cli/import/import-report.ts';
import { importKeepalived } from '../../../../src/cli/import/keepalived.ts';
import type { KeepalivedOptions } from '../../../../src/cli/import/keepalived.ts';
import { err, ok } from '../../../../src/core/result.ts';
import { canonicalAddress } from '../../../../src/model/address.ts';
import { notesOf, problemsOf } from './imported.ts';

function attempt(text: string, options: Partial<KeepalivedOptions> = {}) {
  return importKeepalived(
    { path: 'keepalived.conf', text },
    { configId: null, readIncluded: () => err('no such file'), markAddresses: new Map(), ...options },
  );
}

function imported(text: string, options: Partial<KeepalivedOptions> = {}): Imported {
  const result = attempt(text, options);
  if (!result.ok) throw new Error(result.error);
  expect(problemsOf(result.value)).toEqual([]);
  return result.value;
}

function serviceOf(text: string, options: Partial<KeepalivedOptions> = {}): unknown {
  const { records } = imported(text, options);
  const services = [...records].filter(([path]) => /^config\/services\/[^/]+$/.test(path));
  expect(services).toHaveLength(1);
  return services[0]?.[1];
}

const REAL = 'real_server 10.0.0.11 80 { }';

describe('a virtual server', () => {
  it('becomes a VIP, a service, reals and shared checks', () => {
    const { records, notes } = imported(`
      virtual_server 203.0.113.10 443 {
        delay_loop 6
        lvs_sched wrr
        lvs_method NAT
        persistence_timeout 50
        persistence_granularity 255.255.255.0
        protocol TCP
        alpha
        inhibit_on_failure
        quorum 3
        hysteresis 1
        sorry_server 192.0.2.200 1358
        retry 0
        real_server 10.0.0.11 8443 {
          weight 3
          uthreshold 100
          TCP_CHECK { connect_timeout 3 }
        }
        real_server 10.0.0.12 8443
        {
          TCP_CHECK {
            connect_timeout 3
          }
        }
      }`);
    expect(notes).toEqual([]);
    expect(Object.fromEntries(records)).toEqual({
      'config/vips/203.0.113.10': { addresses: ['203.0.113.10'] },
      'config/checks/tcp': { type: 'tcp', interval: '6s', timeout: '3s' },
      'config/services/203.0.113.10-tcp-443': {
        vip: '203.0.113.10',
        match: { ports: ['443'], protocols: ['tcp'] },
        scheduler: 'wrr',
        forward: 'nat',
        persistence: { timeout: '50s', mask: 24 },
        checks: ['tcp'],
        health: { fall: 1, initial: 'unknown', whenDown: 'quiesce' },
        quorum: { weight: 3, hysteresis: 1 },
        sorry: { address: '192.0.2.200', port: 1358 },
      },
      'config/services/203.0.113.10-tcp-443/reals/10.0.0.11-8443': {
        address: '10.0.0.11',
        port: 8443,
        weight: 3,
        upperThreshold: 100,
      },
      'config/services/203.0.113.10-tcp-443/reals/10.0.0.12-8443': { address: '10.0.0.12', port: 8443 },
    });
  });

  it('is UDP unless it says otherwise, and counts reals as up and removes them, as keepalived does', () => {
    expect(serviceOf(`virtual_server 2001:db8::53 53 { real_server 2001:db8:1::53 53 { } }`)).toMatchObject({
      match: { ports: ['53'], protocols: ['udp'] },
      health: { initial: 'up', whenDown: 'remove', fall: 1 },
    });
  });

  it.each([
    ['lvs_method DR', { forward: 'direct' }],
    ['lvs_method TUN', { forward: { tunnel: 'ipip' } }],
    ['lvs_method TUN type gue port 6080 remcsum', { forward: { tunnel: 'gue', port: 6080, checksum: 'remote' } }],
    ['lvs_method TUN type gre csum', { forward: { tunnel: 'gre', checksum: 'full' } }],
    ['lb_algo sh\nsh-port\nsh-fallback', { scheduler: 'sh', schedulerFlags: ['sh-port', 'sh-fallback'] }],
    ['ops', { onePacket: true }],
    ['persistence_timeout', { persistence: { timeout: '360s' } }],
    ['persistence_engine sip', { persistence: { timeout: '360s', engine: 'sip' } }],
  ])('carries %j over', (lines, expected) => {
    expect(serviceOf(`virtual_server 203.0.113.10 80 {\n${lines}\n${REAL} }`)).toMatchObject(expected);
  });

  it('keeps no port of a real that packets are not sent to', () => {
    const { records } = imported(`virtual_server 203.0.113.10 80 {
      lvs_method DR
      real_server 10.0.0.11 8080 { }
      real_server 10.0.0.12 8080 { lvs_method NAT }
    }`);
    const folder = 'config/services/203.0.113.10-udp-80/reals';
    expect(records.get(`${folder}/10.0.0.11-8080`)).toEqual({ address: '10.0.0.11' });
    expect(records.get(`${folder}/10.0.0.12-8080`)).toEqual({ address: '10.0.0.12', port: 8080, forward: 'nat' });
  });
});

describe('global_defs', () => {
  it('gives the settings of the kernel to all agents', () => {
    const { records, notes } = imported(`global_defs {
      router_id LVS
      lvs_timeouts tcp 900 udp 300
      lvs_sync_daemon eth1 VI_1 id 3 group 224.0.0.99
      lvs_flush
    }`);
    const daemon = { interface: 'eth1', id: 3, group: '224.0.0.99' };
    expect(records.get('config/agents/_default')).toEqual({
      kernel: { timeouts: { tcp: '900s', udp: '300s' }, sync: { master: daemon, backup: daemon } },
    });
    expect(notes).toMatchObject([
      { line: 4, kind: 'changed' },
      { line: 5, kind: 'left out', found: 'lvs_flush' },
    ]);
  });
});

describe('groups and marks', () => {
  const group = (members: string): string =>
    `virtual_server_group edge {\n${members}\n}\nvirtual_server group edge {\nprotocol TCP\n${REAL} }`;

  it('put addresses with the same ports on one VIP', () => {
    const { records } = imported(
      group('203.0.113.20-22 443\n203.0.113.32/31 443\n203.0.113.40 80\n2001:db8::e-10 443'),
    );
    expect(records.get('config/vips/edge')).toEqual({
      addresses: [
        ...['203.0.113.20', '203.0.113.21', '203.0.113.22', '203.0.113.32', '203.0.113.33'],
        ...['2001:db8::e', '2001:db8::f', '2001:db8::10'],
      ],
    });
    expect(records.get('config/vips/edge-2')).toEqual({ addresses: ['203.0.113.40'] });
    expect(records.get('config/services/edge-tcp-443')).toMatchObject({ vip: 'edge', match: { ports: ['443'] } });
    expect(records.get('config/services/edge-tcp-80')).toMatchObject({ vip: 'edge-2', match: { ports: ['80'] } });
  });

  it('need to be told the addresses of a mark, and go on without it', () => {
    const text = group('203.0.113.20 443\nfwmark 7');
    expect(notesOf(imported(text))).toEqual([
      '5 left out: no address is known for firewall mark 7: say --mark-address 7=ADDRESS',
    ]);
    const markAddresses = new Map([[7, [canonicalAddress('203.0.113.7'), canonicalAddress('2001:db8::7')]]]);
    const { records, notes } = imported(text, { markAddresses });
    expect(notes).toEqual([]);
    expect(records.get('config/vips/edge-2')).toEqual({ addresses: ['203.0.113.7', '2001:db8::7'] });
    expect(records.get('config/services/edge')).toMatchObject({ match: { fwmark: 7, families: ['ipv4', 'ipv6'] } });
  });

  it('probe the port that keepalived would, where a mark leaves a real without one', () => {
    const text = `virtual_server fwmark 7 {\nreal_server 10.0.0.11 8080 {\nretry 0\nTCP_CHECK\n}\n}`;
    const { records } = imported(text, { markAddresses: new Map([[7, [canonicalAddress('203.0.113.7')]]]) });
    expect(records.get('config/services/mark-7/reals/10.0.0.11-8080')).toEqual({ address: '10.0.0.11' });
    expect(records.get('config/checks/tcp-8080')).toMatchObject({ type: 'tcp', port: 8080 });
  });

  it.each([
    ['203.0.113.9-5 80', '"9-5" is no range of 1 to 256 addresses'],
    ['203.0.113.0/16 80', '"203.0.113.0/16" has more than 256 addresses'],
    ['203.0.113.250-260 80', '"203.0.113.256" is not an address'],
    ['web.example.org 80', '"web.example.org" is not an address'],
    ['203.0.113.1 http', '"http" is not a port'],
  ])('say what is wrong with the member %j', (member, why) => {
    expect(notesOf(imported(group(member)))).toEqual([`4 left out: ${why}`]);
  });
});

describe('checkers', () => {
  const checksOf = (checker: string): Record<string, unknown> => {
    const { records } = imported(
      `virtual_server 203.0.113.10 80 {\ndelay_loop 10\nvirtualhost www.example.org\nreal_server 10.0.0.11 80 {\n${checker}\n}}`,
    );
    return Object.fromEntries([...records].filter(([path]) => path.startsWith('config/checks/')));
  };

  it('make a check of each url, with what they take over from the service', () => {
    const checker = `SSL_GET {
      url { path /healthz
            status_code 200-204 301 }
      url { path two?x=1
            virtualhost two.example.org
            regex "^ok" }
      connect_port 8443
      sni_name sni.example.org
      connect_timeout 2.5
    }`;
    const common = { type: 'https', port: 8443, interval: '10s', timeout: '2500ms', sni: 'sni.example.org' };
    expect(checksOf(checker)).toEqual({
      'config/checks/https-healthz-8443': {
        ...common,
        path: '/healthz',
        host: 'www.example.org',
        status: ['200-204', '301'],
      },
      'config/checks/https-two-x-1-8443': { ...common, path: '/two?x=1', host: 'two.example.org' },
    });
  });

  it('allow as many failures as keepalived retries, and say how long that takes', () => {
    const text = `virtual_server 203.0.113.10 80 {\ndelay_loop 10\nreal_server 10.0.0.11 80 {\nTCP_CHECK { retry 2 }\n}}`;
    const result = imported(text);
    expect(result.records.get('config/services/203.0.113.10-udp-80')).toMatchObject({ health: { fall: 3 } });
    expect(notesOf(result)).toEqual([
      '4 changed: a failed probe is tried again after the interval, not after delay_before_retry: a dead real is down after up to 30 s',
    ]);
  });

  it('are left out aloud where there is nothing like them', () => {
    const text = `virtual_server 203.0.113.10 80 {\nreal_server 10.0.0.11 80 {\nMISC_CHECK { misc_path "/x {" }\n}}`;
    const result = imported(text);
    expect(result.records.get('config/services/203.0.113.10-udp-80')).not.toHaveProperty('checks');
    expect(result.notes).toMatchObject([{ line: 3, found: 'MISC_CHECK', kind: 'left out' }]);
  });

  it('never time out later than the next probe starts', () => {
    const text = `virtual_server 203.0.113.10 80 {\ndelay_loop 2\nretry 0\nreal_server 10.0.0.11 80 {\nTCP_CHECK\n}}`;
    const result = imported(text);
    expect(result.records.get('config/checks/tcp')).toEqual({ type: 'tcp', interval: '2s', timeout: '2s' });
    expect(notesOf(result)).toEqual(['5 changed: the timeout (5 s) was cut to the interval (2 s)']);
  });
});

describe('the text of keepalived.conf', () => {
  const service = `virtual_server 203.0.113.10 80 {\n${REAL} }`;

  it('may define parameters, and lines for other machines', () => {
    const text = `$PORT=80\n$NET=10.0.0\n@main $VIP=203.0.113.10\n@!main $VIP=203.0.113.99
      virtual_server $VIP $PORT { real_server \${NET}.11 $PORT { } }`;
    expect([...imported(text, { configId: 'main' }).records.keys()]).toContain('config/vips/203.0.113.10');
    expect([...imported(text, { configId: 'other' }).records.keys()]).toContain('config/vips/203.0.113.99');
  });

  it('may include other files, which are named in notes', () => {
    const readIncluded = (pattern: string) =>
      pattern === 'conf.d/*.conf'
        ? ok([{ path: 'conf.d/a.conf', text: `${service}\nstatic_routes {\n}` }])
        : err(`${pattern}: no such file`);
    const result = imported('include conf.d/*.conf', { readIncluded });
    expect(result.notes).toMatchObject([{ file: 'conf.d/a.conf', line: 3, found: 'static_routes' }]);
    expect(attempt('include "x.conf"', { readIncluded })).toEqual(err('keepalived.conf:1: x.conf: no such file'));
  });

  it('may have comments anywhere, but not in quotation marks', () => {
    const text = `# all\n! of it\nvirtual_server 203.0.113.10 80 { # here\n snmp_name "a!b" ! there\n${REAL}\n}`;
    expect([...imported(text).records.keys()]).toContain('config/services/a-b');
  });

  it.each([
    ['virtual_server 203.0.113.10 80 {', '1: the block "virtual_server 203.0.113.10 80" has no closing brace'],
    ['a\n}', '2: a closing brace without an open block'],
    ['{', '1: a brace opens a block that has no name'],
    ['x "y', '1: a quotation mark (") is not closed'],
    ['x ${NO}', '1: ${NO} is not defined'],
    ['$A=b \\', '1: a definition of several lines is not understood; write the lines out'],
    ['~SEQ(i, 1, 3) x', '1: ~SEQ, ~LST and ~RND are not understood; write the lines out'],
    ['a {'.repeat(20), '1: blocks are nested more than 16 deep'],
  ])('that cannot be read is an error: %j', (text, expected) => {
    expect(attempt(text)).toEqual(err(`keepalived.conf:${expected}`));
  });

  it('says which numbers and ranges are none', () => {
    const result = imported(`
      virtual_server_group pool {
        192.0.2.a-b 80
        192.0.2.1f-20 80
        192.0.2.250-260 80
        192.0.2.7-8 80
      }
      virtual_server group pool {
        quorum two
        persistence_timeout
        real_server 10.0.0.11 80 {
          weight -5
          TCP_CHECK { connect_timeout 3,5 }
        }
      }`);
    expect(result.records.get('config/vips/pool')).toEqual({ addresses: ['192.0.2.7', '192.0.2.8'] });
    expect(notesOf(result).filter((note) => note.includes('left out'))).toEqual([
      '8 left out: "192.0.2.a-b" is not an address',
      '8 left out: "192.0.2.1f-20" is not an address',
      '8 left out: "192.0.2.256" is not an address',
      '9 left out: it takes a number',
      '12 left out: it takes a number',
      '13 left out: it takes a number',
    ]);
  });

  it('does not grow by its definitions for ever', () => {
    const lines = Array.from({ length: 9 }, (_, n) => `$D${n}=${`$D${n + 1} `.repeat(100)}`);
    const result = attempt(`${lines.join('\n')}\nvirtual_server $D0`);
    expect(result).toEqual(err('keepalived.conf:10: definitions make it longer than 65536 characters'));
  });

  it('does not include itself for ever', () => {
    const readIncluded = () => ok([{ path: 'keepalived.conf', text: 'include x' }]);
    expect(attempt('include x', { readIncluded })).toEqual(err('keepalived.conf includes itself'));
  });

  it('is left out line by line where nothing stands for it', () => {
    const result = imported(
      `vrrp_instance VI_1 { state MASTER }\n${service.replace('{', '{\nquorum_up "/x"\nnonsense 1')}`,
    );
    expect(notesOf(result)).toEqual([
      '1 left out: VIPs are announced by BGP, not moved by VRRP; see config/agents, "bgp"',
      '3 left out: no programs are run; watch state/health in the store',
      '4 left out: nothing here stands for it',
    ]);
  });
});
