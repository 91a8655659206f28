import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../../src/core/ports.ts';
import { zookeeperSettings } from '../../../../src/sources/zookeeper/options.ts';
import { checkRelativePath, checkRoot, foldersAbove } from '../../../../src/sources/zookeeper/paths.ts';
import { formatSession, normaliseSession } from '../../../../src/sources/zookeeper/protocol.ts';
import { shuffled } from '../../../../src/sources/server-names.ts';
import { formatServer, parseServer } from '../../../../src/sources/zookeeper/servers.ts';
import { createZookeeperSource } from '../../../../src/sources/zookeeper/zookeeper-source.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';

describe('servers', () => {
  test.each([
    ['zk1', 'zk1', 2181, 'zk1:2181'],
    ['zk1.example.org:2281', 'zk1.example.org', 2281, 'zk1.example.org:2281'],
    ['10.0.0.1:1', '10.0.0.1', 1, '10.0.0.1:1'],
    ['[::1]:2182', '::1', 2182, '[::1]:2182'],
    ['[2001:db8::1]', '2001:db8::1', 2181, '[2001:db8::1]:2181'],
    ['2001:db8::1', '2001:db8::1', 2181, '[2001:db8::1]:2181'],
    ['::1', '::1', 2181, '[::1]:2181'],
  ])('%s', (text, host, port, formatted) => {
    expect(parseServer(text)).toEqual({ host, port });
    expect(formatServer({ host, port })).toBe(formatted);
  });

  test.each(['', 'zk1:', 'zk1:0', 'zk1:65536', 'zk1:x', '[::1', '[::1]2181', 'zk 1', 'zk1:2181/chroot', '[zk1]:1'])(
    '%j is none',
    (text) => {
      expect(parseServer(text)).toBeUndefined();
    },
  );

  test('a shuffle keeps everybody and depends on chance alone', () => {
    const draws = [0.9, 0.5, 0];
    expect(shuffled(['a', 'b', 'c'], () => draws.shift() ?? 0)).toEqual(['c', 'b', 'a']);
    expect(shuffled([], () => 0)).toEqual([]);
  });
});

describe('paths', () => {
  test.each(['config/vips/web', 'a', 'ä/ö'])('%s can be held', (path) => {
    expect(checkRelativePath(path)).toEqual({ ok: true, value: path });
  });

  test.each(['', '/a', 'a/', 'a//b', '.', 'a/..', 'a/./b', 'a\u0000b', 'a\nb', 'a\u009f', 'a\uf000'])(
    '%j cannot',
    (path) => {
      expect(checkRelativePath(path)).toMatchObject({ ok: false, error: { code: 'STORE_PROTOCOL' } });
    },
  );

  test.each([
    ['/vipkeeper', '/vipkeeper'],
    ['vipkeeper/', '/vipkeeper'],
    ['/prod/edge/vipkeeper', '/prod/edge/vipkeeper'],
    ['/', ''],
  ])('the root %s', (text, root) => {
    expect(checkRoot(text)).toEqual({ ok: true, value: root });
  });

  test('the folders above', () => {
    expect(foldersAbove('a/b/c')).toEqual(['a', 'a/b']);
    expect(foldersAbove('a')).toEqual([]);
  });
});

describe('session ids', () => {
  test.each([
    [0x100001d2c0000n, '0x100001d2c0000'],
    [-1n, '0xffffffffffffffff'],
  ])('%s is %s', (id, text) => {
    expect(formatSession(id)).toBe(text);
    expect(normaliseSession(text.toUpperCase().replace('0X', '0x'))).toBe(text);
  });

  test.each(['', '0x', 'lease 7', '0x11111111111111111'])('%j is none', (text) => {
    expect(normaliseSession(text)).toBeUndefined();
  });
});

describe('options', () => {
  test.each([
    [{ servers: [], root: '/v' }, 'no ZooKeeper server'],
    [{ servers: ['zk1', 'zk2:99999'], root: '/v' }, '"zk2:99999"'],
    [{ servers: ['zk1'], root: '/v//w' }, 'the root'],
  ])('%j is refused', (options, text) => {
    const settings = zookeeperSettings(options);
    expect(settings).toMatchObject({ ok: false, error: { code: 'BOOTSTRAP_INVALID' } });
    expect(!settings.ok && settings.error.message).toContain(text);
  });

  test('nodes are open to all without credentials, and their creator’s with them', () => {
    const base = { servers: ['zk1'], root: '/v' };
    const schemes = (options: Parameters<typeof zookeeperSettings>[0]): string[] => {
      const settings = zookeeperSettings(options);
      return settings.ok ? settings.value.acl().map((entry) => `${entry.scheme} ${entry.permissions}`) : [];
    };
    const auth = () => ({ ok: true, value: 'ana:secret' }) as const;
    expect(schemes(base)).toEqual(['world 31']);
    expect(schemes({ ...base, auth })).toEqual(['world 1', 'auth 31']);
    expect(schemes({ ...base, auth, acl: 'open' })).toEqual(['world 31']);
    expect(schemes({ ...base, acl: 'creator' })).toEqual(['world 1', 'auth 31']);
  });

  test('a source that was never started answers, and closes', async () => {
    const deps = { clock: new ManualClock(), random: () => 0, log: silentLog };
    const source = createZookeeperSource({ servers: ['zk1'], root: '/v' }, deps);
    if (!source.ok) throw source.error;
    expect(await source.value.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
    expect(await source.value.publish(new Map([['state/agents/a', new Uint8Array(1)]]))).toMatchObject({
      ok: false,
      error: { code: 'STORE_UNREACHABLE', transient: true },
    });
    await source.value.close({ keepEphemeral: false });
    expect(source.value.state()).toEqual({ kind: 'closed' });
  });
});
