import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeBootstrapProblems, loadBootstrap } from '../../../src/agent/bootstrap-file.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

function load(text: string, host = 'lb7.example.net') {
  const path = join(tempDir(), 'bootstrap.json');
  writeFileSync(path, text);
  const loaded = loadBootstrap(path, host);
  return loaded.ok ? loaded.value : loaded.error.map(({ field, found, allowed }) => `${field}|${found}|${allowed}`);
}

describe('the bootstrap file', () => {
  it('fills in every default, and takes the agent from the host name', () => {
    expect(load('{"store":{"zookeeper":{"servers":["zk1:2181"]}}}')).toEqual({
      agent: 'lb7',
      store: { zookeeper: { servers: ['zk1:2181'], sessionTimeout: '10s' } },
      root: '/vipkeeper',
      stateDir: '/var/lib/vipkeeper',
      api: { listen: '127.0.0.1:8370' },
      log: { level: 'info' },
      checkWorkers: 1,
    });
  });

  it('says that a file is missing, and what belongs there', () => {
    const loaded = loadBootstrap('/nonexistent/bootstrap.json');
    expect(loaded).toMatchObject({ ok: false, error: [{ path: '/nonexistent/bootstrap.json', field: '' }] });
    expect(loaded.ok ? '' : loaded.error[0]?.allowed).toContain('bootstrap.example.json');
  });

  it.each([
    ['an empty file', '', /^\|an empty file\|/],
    ['half a file', '{"store":', /^\|.*JSON.*\|strict JSON/],
    ['an array', '[]', /^\|an array\|a JSON object/],
    ['no store', '{}', /^store\|nothing\|.*"zookeeper"/],
    [
      'two stores',
      '{"store":{"directory":{"path":"/a"},"etcd":{"endpoints":["a:1"]}}}',
      /^store\|etcd and directory\|one store$/,
    ],
    ['an unknown field', '{"stor":{"directory":{"path":"/a"}}}', /"stor"\|"store"\?/],
    [
      'a bad server',
      '{"store":{"zookeeper":{"servers":["zk1:port"]}}}',
      /^store\.zookeeper\.servers\[0\]\|"zk1:port"\|HOST/,
    ],
    ['a port that is none', '{"store":{"zookeeper":{"servers":["zk1:65536"]}}}', /servers\[0\]\|"zk1:65536"\|HOST/],
    ['an endpoint that is none', '{"store":{"etcd":{"endpoints":["http://e1:65536"]}}}', /endpoints\[0\]\|.*\|HOST/],
    [
      'a session that ends at once',
      '{"store":{"zookeeper":{"servers":["a"],"sessionTimeout":"1ms"}}}',
      /a duration from/,
    ],
    [
      'a port without address',
      '{"store":{"directory":{"path":"/a"}},"api":{"listen":"8370"}}',
      /^api\.listen\|"8370"\|/,
    ],
    ['no servers', '{"store":{"zookeeper":{"servers":[]}}}', /^store\.zookeeper\.servers\|\[\]\|/],
    [
      'a relative path',
      '{"store":{"directory":{"path":"store"}}}',
      /^store\.directory\.path\|"store"\|an absolute path/,
    ],
    ['a secret in the open', '{"store":{"zookeeper":{"servers":["a"],"auth":"me:pw"}}}', /auth\|.*\|a reference/],
    [
      'a client certificate without its key',
      '{"store":{"directory":{"path":"/a"}},"api":{"tls":{"certificate":"/c","key":"/k","clientCertificate":"/d"}}}',
      /^api\.tls\.clientKey\|nothing\|.*together/,
    ],
    [
      'a certificate of the API without its key',
      '{"store":{"directory":{"path":"/a"}},"api":{"tls":{"certificate":"/c"}}}',
      /^api\.tls\.key\|nothing\|an absolute path/,
    ],
    ['the same key twice', '{"root":"/a","root":"/b"}', /the key "root" twice/],
  ])('names the field for %s', (_what, text, pattern) => {
    const problems = load(text);
    expect(Array.isArray(problems) ? problems.find((problem) => pattern.test(problem)) : problems).toMatch(pattern);
  });

  it('has all its problems told in one text', () => {
    const problems = [
      { path: '/b', field: 'agent', found: '"a/b"', allowed: 'a name', effect: 'ignored' },
      { path: '/b', field: '', found: 'an array', allowed: 'a JSON object', effect: 'ignored' },
    ] as const;
    expect(describeBootstrapProblems('/b', problems)).toBe(
      'the bootstrap file /b cannot be used:\n  agent: found "a/b", allowed a name\n  found an array, allowed a JSON object',
    );
  });

  it('refuses a host name that cannot be a name', () => {
    expect(load('{"store":{"directory":{"path":"/a"}}}', '_x')).toEqual([expect.stringMatching(/^agent\|/)]);
  });
});
