import { describe, expect, it } from 'vitest';
import { importGoClone } from '../../../../src/cli/import/go-clone.ts';
import type { Imported } from '../../../../src/cli/import/import-report.ts';
import { err } from '../../../../src/core/result.ts';
import { notesOf, problemsOf } from './imported.ts';

const attempt = (text: string) => importGoClone({ path: 'lvs.cfg', text });

function imported(text: string): Imported {
  const result = attempt(text);
  if (!result.ok) throw new Error(result.error);
  expect(problemsOf(result.value)).toEqual([]);
  return result.value;
}

describe('a configuration of the Go clone', () => {
  it('becomes records', () => {
    const { records, notes } = imported(`
general {
  notifier bgp {
    ASN 65010
    neighbour 10.1.0.1
    neighbour [2001:db8::1]
  }
  adapter gnl2go
}
service 203.0.113.10 80 {
  proto tcp
  scheduler wlc
  quorum 2
  timeout 3
  real 10.0.0.11 8080 {
    check http http://10.0.0.11:8080/healthz?full
    weight 5
  }
  real 10.0.0.12 8080 {
    check tcp
    meta tunnel
  }
}
`);
    expect(Object.fromEntries(records)).toEqual({
      'config/agents/_default': {
        dataplane: 'ipvs',
        bgp: {
          asn: 65_010,
          peers: {
            'peer-10.1.0.1': { address: '10.1.0.1', asn: 65_010 },
            'peer-2001-db8--1': { address: '2001:db8::1', asn: 65_010 },
          },
        },
      },
      'config/vips/203.0.113.10': { addresses: ['203.0.113.10'] },
      'config/checks/http': {
        type: 'http',
        interval: '3s',
        timeout: '3s',
        path: '/healthz?full',
        status: ['200'],
      },
      'config/checks/tcp': { type: 'tcp', interval: '3s', timeout: '3s' },
      'config/services/203.0.113.10-tcp-80': {
        vip: '203.0.113.10',
        match: { ports: ['80'], protocols: ['tcp'] },
        scheduler: 'wlc',
        health: { rise: 1, fall: 1, initial: 'unknown', whenDown: 'remove' },
        quorum: { reals: 2 },
      },
      'config/services/203.0.113.10-tcp-80/reals/10.0.0.11-8080': {
        address: '10.0.0.11',
        port: 8080,
        weight: 5,
        checks: ['http'],
      },
      'config/services/203.0.113.10-tcp-80/reals/10.0.0.12-8080': {
        address: '10.0.0.12',
        forward: { tunnel: 'ipip' },
        checks: ['tcp'],
      },
    });
    expect(notes).toEqual([]);
  });

  it('takes the address of a firewall mark from its meta line', () => {
    const { records } = imported(
      `service 7 0 {\nproto fwmark\nmeta ipv6 2001:db8::7\nquorum 1\nreal [2001:db8:1::1] 8080 {\ncheck tcp\n}\n}`,
    );
    expect(records.get('config/vips/2001-db8--7')).toEqual({ addresses: ['2001:db8::7'] });
    expect(records.get('config/services/mark-7')).toMatchObject({ match: { fwmark: 7, families: ['ipv6'] } });
  });

  it('says what it cannot carry over', () => {
    const result = imported(
      [
        'testing',
        'general {',
        'api {',
        'http enable',
        '}',
        'notifier dummy',
        '}',
        'service 203.0.113.10 80 {',
        'proto tcp',
        'hysteresis 1',
        'real 10.0.0.11 80 {',
        'check dns 10.0.0.1',
        '}',
        'real 10.0.0.12 80 {',
        'check https https://www.example.org/',
        '}',
        'real 10.0.0.13 80 {',
        '}',
        '}',
        'service web 80 {',
        'proto tcp',
        '}',
      ].join('\n'),
    );
    expect(result.records.get('config/agents/_default')).toEqual({ dataplane: 'memory' });
    expect(notesOf(result)).toEqual([
      '3 left out: where the API listens is said in the bootstrap file: "api"',
      '6 left out: the only way to announce is BGP',
      '8 changed: a quorum of 0 never withdrew the VIP: it is withdrawn now when no real is up',
      '10 left out: it was read and never used',
      '12 left out: there is no check of that kind: without another one the real counts as up',
      '15 changed: the real itself is asked, at port 443, for "www.example.org"',
      '17 changed: it has no check: it was never up, and is always up now',
      '20 left out: a service needs an address, a port and "proto tcp", "udp" or "fwmark"',
    ]);
    expect(result.records.get('config/checks/https')).toMatchObject({
      port: 443,
      host: 'www.example.org',
      verify: true,
    });
  });

  it('goes by the znodes that its checks went by, and lets reals share a check', () => {
    const service = (vip: string, ...reals: readonly [string, string][]): string[] => {
      const blocks = reals.flatMap(([real, check]) => [`real ${real} 80 {`, `check zk ${check}`, '}']);
      return [`service ${vip} 80 {`, 'proto tcp', 'quorum 1', 'timeout 2', ...blocks, '}'];
    };
    const lines = service(
      '203.0.113.10',
      ['10.0.0.11', 'zk1:2181 /web/10.0.0.11:80'],
      ['10.0.0.1', 'zk1:2181 /web/10.0.0.1:80'],
      ['10.0.0.12', 'zk1 /web/10.0.0.1'],
      ['10.0.0.13', 'zk1'],
    );
    const result = imported(
      [...lines, ...service('2001:db8::10', ['[2001:db8::1]', 'zk1:2181 /web/2001:db8::1:80'])].join('\n'),
    );
    const timing = { type: 'zookeeper', interval: '2s', timeout: '2s' };
    const checks = [...result.records].filter(([path]) => path.startsWith('config/checks/'));
    expect(Object.fromEntries(checks)).toEqual({
      'config/checks/zookeeper': { ...timing, servers: ['zk1:2181'], path: '/web/{address}:80' },
      'config/checks/zookeeper-2': { ...timing, servers: ['zk1'], path: '/web/10.0.0.1' },
    });
    const reals = [...result.records].filter(([path]) => path.includes('/reals/'));
    expect(reals.map(([path, real]) => [path.split('/').at(-1), (real as { checks?: unknown }).checks])).toEqual([
      ['2001-db8--1-80', ['zookeeper']],
      ['10.0.0.1-80', ['zookeeper']],
      ['10.0.0.11-80', ['zookeeper']],
      ['10.0.0.12-80', ['zookeeper-2']],
      ['10.0.0.13-80', undefined],
    ]);
    const changed = 'an ensemble that cannot be asked is no dead real any more; name its other members, too';
    expect(notesOf(result)).toEqual([
      ...[6, 9, 12].map((line) => `${line} changed: ${changed}`),
      '15 left out: it names no znode: without a check the real counts as up',
      `23 changed: ${changed}`,
    ]);
  });

  it('needs no port for a znode without one', () => {
    const mark = ['service 7 0 {', 'proto fwmark', 'meta ipv4 203.0.113.9', 'quorum 1'];
    const { records } = imported([...mark, 'real 10.0.0.11 0 {', 'check zk zk1 /web/10.0.0.11', '}', '}'].join('\n'));
    expect(records.get('config/checks/zookeeper')).toMatchObject({ path: '/web/{address}' });
  });

  it('says which numbers are none', () => {
    const lines = ['service 203.0.113.10 80 {', 'proto tcp', 'quorum two', 'timeout 1.5', 'real 10.0.0.11 http {'];
    const result = imported([...lines, 'weight -5', 'check http-get', '}', '}'].join('\n'));
    expect(notesOf(result).filter((note) => note.includes('number') || note.includes('port'))).toEqual([
      '3 left out: it takes a whole number',
      '4 left out: it takes a whole number',
      '5 left out: "http" is not a port',
      '6 left out: it takes a whole number',
    ]);
  });

  it('that cannot be read is an error', () => {
    expect(attempt('general {')).toEqual(err('lvs.cfg:1: the block "general" has no closing brace'));
  });
});
