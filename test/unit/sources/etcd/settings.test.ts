import { describe, expect, test } from 'vitest';
import { Keys, keyAfter } from '../../../../src/sources/etcd/keys.ts';
import { formatEndpoint, parseEndpoint, parseUser } from '../../../../src/sources/etcd/settings.ts';

describe('endpoints', () => {
  test.each([
    ['etcd1', false, 'etcd1:2379', false],
    ['etcd1:12379', false, 'etcd1:12379', false],
    ['http://etcd1:12379', false, 'etcd1:12379', false],
    ['https://etcd1', false, 'etcd1:2379', true],
    ['https://etcd1:12379/', false, 'etcd1:12379', true],
    ['etcd1', true, 'etcd1:2379', true],
    ['10.0.0.1', false, '10.0.0.1:2379', false],
    ['[2001:db8::1]', false, '[2001:db8::1]:2379', false],
    ['[2001:db8::1]:12379', false, '[2001:db8::1]:12379', false],
  ])('%s with TLS settings %s', (text, tls, address, secure) => {
    const { host, port, secure: isSecure } = parseEndpoint(text, tls);
    expect({ address: formatEndpoint(host, port), secure: isSecure }).toEqual({ address, secure });
  });
});

test.each([
  ['agent:secret', 'agent', 'secret'],
  ['agent:with:colons', 'agent', 'with:colons'],
  ['agent', 'agent', ''],
])('the user of %s', (auth, name, password) => {
  expect(parseUser(auth)).toEqual({ name, password });
});

describe('keys', () => {
  const keys = new Keys('/vipkeeper');

  test('are named as znodes would be', () => {
    expect(keys.key('config/vips/web').toString()).toBe('/vipkeeper/config/vips/web');
    expect(keys.path(Buffer.from('/vipkeeper/config/vips/web'))).toBe('config/vips/web');
    expect(new Keys('/').key('config/vips/web').toString()).toBe('/config/vips/web');
  });

  test('the range below a path holds what is below it, and neither it nor its neighbours', () => {
    const { key, range_end: end } = keys.below('config');
    const holds = (path: string): boolean =>
      Buffer.compare(keys.key(path), key) >= 0 && Buffer.compare(keys.key(path), end) < 0;
    expect(['config/a', 'config/vips/web', 'config/\u{10ffff}', 'config/'].every(holds)).toBe(true);
    expect(['config', 'config-old/a', 'config0', 'confih', 'configuration/a', 'state/a'].some(holds)).toBe(false);
  });

  test('the key after another is the next that can be', () => {
    const after = keyAfter(Buffer.from('/a'));
    expect(Buffer.compare(after, Buffer.from('/a'))).toBe(1);
    expect(Buffer.compare(after, Buffer.from('/a\u0001'))).toBe(-1);
  });
});
