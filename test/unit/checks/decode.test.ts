import { describe, expect, it } from 'vitest';
import { CHECK_TYPES } from '../../../src/checks/catalog.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import { schemaOf } from '../../../src/checks/schema.ts';
import { canonicalJson } from '../../../src/core/canonical-json.ts';

function definition(record: Record<string, unknown>): unknown {
  const decoded = checkCatalog.decode(record);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
  return decoded.value;
}

function problems(record: Record<string, unknown>): { field: string; found: string; allowed: string }[] {
  const decoded = checkCatalog.decode(record);
  return decoded.ok ? [] : [...decoded.error];
}

describe('good records', () => {
  it('fills in every default', () => {
    expect(definition({ type: 'tcp' })).toEqual({
      type: 'tcp',
      intervalMs: 2_000,
      timeoutMs: 1_000,
      jitter: 0.1,
      close: 'rst',
    });
    expect(definition({ type: 'http' })).toEqual({
      type: 'http',
      intervalMs: 2_000,
      timeoutMs: 1_000,
      jitter: 0.1,
      path: '/',
      method: 'GET',
      host: null,
      headers: {},
      status: ['200-299'],
      close: 'rst',
    });
  });

  it('takes the record of the contract', () => {
    const record = { type: 'https', path: '/healthz', status: ['200-299'], interval: '2s', timeout: '1s' };
    expect(definition(record)).toMatchObject({ type: 'https', path: '/healthz', verify: false, sni: null, ca: null });
  });

  it('takes every field of https, and notes beside them', () => {
    const record = {
      type: 'https',
      interval: '500ms',
      timeout: '500ms',
      jitter: 0,
      port: 9443,
      path: '/ready?deep=1',
      method: 'HEAD',
      host: 'www.example.org:8443',
      headers: { 'X-Probe': 'vipkeeper' },
      status: ['204', '300-302'],
      sni: 'inner.example.org',
      verify: true,
      ca: 'file:/etc/vipkeeper/ca.pem',
      certificate: 'file:/etc/vipkeeper/client.pem',
      key: 'env:CLIENT_KEY',
      _meta: { owner: 'ana' },
    };
    expect(definition(record)).toMatchObject({ intervalMs: 500, timeoutMs: 500, port: 9443, key: 'env:CLIENT_KEY' });
    expect(canonicalJson(definition(record))).not.toContain('ana');
  });
});

const ZNODE = { type: 'zookeeper', servers: ['zk1:2181'], path: '/web/{address}:{port}' };

it('takes the path of a znode, with the real in it or without', () => {
  const definitionOf = (path: string): unknown => (definition({ ...ZNODE, path }) as { path: unknown }).path;
  for (const path of [
    '/a',
    '/a/b.c/{port}',
    '/{address}',
    '/.{port}',
    '/a/...',
    '/gr\u00f6\u00dfe/[{address}]:{port}',
  ]) {
    expect(definitionOf(path)).toBe(path);
  }
  expect(definition({ ...ZNODE, servers: ['zk1', '[2001:db8::1]:2182', '10.0.0.1'] })).toEqual({
    type: 'zookeeper',
    intervalMs: 2_000,
    timeoutMs: 1_000,
    jitter: 0.1,
    servers: ['zk1', '[2001:db8::1]:2182', '10.0.0.1'],
    path: '/web/{address}:{port}',
  });
});

it('goes to no port where the path of a znode has none', () => {
  expect(definition({ ...ZNODE, path: '/web/{address}' })).toMatchObject({ port: 0 });
  expect(definition({ ...ZNODE, path: '/web/{address}', port: 80 })).toMatchObject({ port: 0 });
  expect(definition({ ...ZNODE, port: 80 })).toMatchObject({ port: 80 });
});

describe('bad records name the field, what is there and what would be right', () => {
  it.each([
    [{ type: 'htp' }, 'type', '"htp"', '"http"?'],
    [{}, 'type', 'nothing', 'one of "tcp", "http", "https"'],
    [{ type: 7 }, 'type', '7', 'one of'],
    [{ type: 'tcp', interval: 2 }, 'interval', '2', 'with its unit'],
    [{ type: 'tcp', interval: '2' }, 'interval', '"2"', 'with its unit'],
    [{ type: 'tcp', interval: '50ms' }, 'interval', '"50ms"', 'from "100ms" to "1h"'],
    [{ type: 'tcp', interval: '2h' }, 'interval', '"2h"', 'from "100ms" to "1h"'],
    [{ type: 'tcp', timeout: '5ms' }, 'timeout', '"5ms"', 'from "10ms"'],
    [{ type: 'tcp', timeout: '3s' }, 'timeout', '"3s"', 'at most the interval ("2s")'],
    [{ type: 'tcp', jitter: 0.6 }, 'jitter', '0.6', '0 to 0.5'],
    [{ type: 'tcp', port: 0 }, 'port', '0', '1 to 65535'],
    [{ type: 'tcp', path: '/' }, 'path', 'unknown field', 'one of type, interval'],
    [{ type: 'tcp', close: 'drop' }, 'close', '"drop"', '"rst", "fin"'],
    [{ type: 'http', pth: '/' }, 'pth', 'unknown field', '"path"?'],
    [{ type: 'http', path: 'healthz' }, 'path', '"healthz"', 'starts with "/"'],
    [{ type: 'http', path: '/a b' }, 'path', '"/a b"', 'without spaces'],
    [{ type: 'http', path: '/a\r\nX: y' }, 'path', String.raw`"/a\r\nX: y"`, 'printable'],
    [{ type: 'http', method: 'POST' }, 'method', '"POST"', '"GET", "HEAD"'],
    [{ type: 'http', host: 'a b' }, 'host', '"a b"', 'a host name'],
    [{ type: 'http', status: [] }, 'status', '[]', 'a list of status codes'],
    [{ type: 'http', status: [200] }, 'status[0]', '200', 'a string with a status code'],
    [{ type: 'http', status: ['299-200'] }, 'status[0]', '"299-200"', 'a range'],
    [{ type: 'http', status: ['2xx'] }, 'status[0]', '"2xx"', 'a string with a status code'],
    [{ type: 'http', headers: { Host: 'x' } }, 'headers.Host', '"Host"', 'the field "host"'],
    [{ type: 'http', headers: { 'content-length': '5' } }, 'headers.content-length', '"content-length"', 'frames'],
    [{ type: 'http', headers: { X: 'a\r\nY: b' } }, 'headers.X', String.raw`"a\r\nY: b"`, 'printable ASCII'],
    [{ type: 'http', verify: true }, 'verify', 'unknown field', 'one of type, interval'],
    [{ type: 'https', ca: '/etc/ca.pem', verify: true }, 'ca', '"/etc/ca.pem"', 'a reference'],
    [{ type: 'https', ca: 'file:/etc/ca.pem' }, 'ca', '"verify": false', 'together with "verify": true'],
    [{ type: 'https', key: 'file:/k' }, 'certificate', 'nothing', 'together, or neither'],
    [{ type: 'https', sni: '-x' }, 'sni', '"-x"', 'a host name'],
    [{ type: 'zookeeper', path: '/a' }, 'servers', 'nothing', 'a list of 1 to 15 members'],
    [{ type: 'zookeeper', servers: ['zk1'] }, 'path', 'nothing', 'the absolute path of a znode'],
    [{ ...ZNODE, servers: [] }, 'servers', '[]', 'a list of 1 to 15 members'],
    [{ ...ZNODE, servers: 'zk1,zk2' }, 'servers', '"zk1,zk2"', 'a list of 1 to 15 members'],
    [{ ...ZNODE, servers: ['zk1', 'zk2:99999'] }, 'servers[1]', '"zk2:99999"', 'HOST:PORT'],
    [{ ...ZNODE, servers: ['2001:db8::1'] }, 'servers[0]', '"2001:db8::1"', '[IPV6]:PORT'],
    [{ ...ZNODE, path: 'web/a' }, 'path', '"web/a"', 'the absolute path of a znode'],
    [{ ...ZNODE, path: '/' }, 'path', '"/"', 'below the root'],
    [{ ...ZNODE, path: '/web/' }, 'path', '"/web/"', 'the absolute path of a znode'],
    [{ ...ZNODE, path: '//web' }, 'path', '"//web"', 'the absolute path of a znode'],
    [{ ...ZNODE, path: '/web/../a' }, 'path', '"/web/../a"', 'the absolute path of a znode'],
    [{ ...ZNODE, path: '/web\u0000' }, 'path', String.raw`"/web\u0000"`, 'the absolute path of a znode'],
    // PathUtils.validatePath takes no surrogates.
    [{ ...ZNODE, path: '/\u{1f600}' }, 'path', '"/\u{1f600}"', 'the absolute path of a znode'],
    [{ ...ZNODE, path: `/${'x'.repeat(1_000)}` }, 'path', '"/xxx', 'of at most 1000 characters'],
    [{ ...ZNODE, path: '/web/{host}' }, 'path', '"{host}"', '"{address}" and "{port}"'],
    [{ ...ZNODE, path: '/web/{Address}' }, 'path', '"{Address}"', '"{address}" and "{port}"'],
    [{ ...ZNODE, path: '/web/{address' }, 'path', '"{"', '"{address}" and "{port}"'],
    [{ ...ZNODE, path: '/web/{{port}}' }, 'path', '"{"', '"{address}" and "{port}"'],
    [{ ...ZNODE, auth: 'env:ZK' }, 'auth', 'unknown field', 'known: type, interval'],
  ])('%j', (record, field, found, allowed) => {
    const [first] = problems(record);
    expect(first?.field).toBe(field);
    expect(first?.found).toContain(found);
    expect(first?.allowed).toContain(allowed);
  });

  it('refuses a header name that is none', () => {
    expect(problems({ type: 'http', headers: { 'a b': 'x' } }).length).toBeGreaterThan(0);
    expect(problems({ type: 'http', headers: { 'X\r\nY': 'x' } }).length).toBeGreaterThan(0);
  });
});

describe('the catalog', () => {
  it.each(CHECK_TYPES.map((entry) => [entry.type, entry] as const))(
    '%s has an example that is valid',
    (_name, entry) => {
      expect(entry.example['type']).toBe(entry.type);
      expect(problems(entry.example)).toEqual([]);
    },
  );

  it.each(CHECK_TYPES.map((entry) => [entry.type, entry] as const))('%s describes every field', (_name, entry) => {
    const fields = Object.entries(schemaOf(entry).properties);
    expect(fields.length).toBeGreaterThan(4);
    for (const [name, field] of fields) {
      const { description } = field as { description?: string };
      expect(description, name).toMatch(/^.{10,}\.$/s);
    }
  });

  it('means the same whatever the order of the keys', () => {
    const a = definition({ type: 'http', path: '/x', interval: '3s' });
    const b = definition({ interval: '3s', path: '/x', type: 'http' });
    expect(canonicalJson(a)).toBe(canonicalJson(b));
  });
});
