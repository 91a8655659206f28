import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadBootstrap } from '../../../src/agent/bootstrap-file.ts';
import { sessionTimeoutMs, storeSettings } from '../../../src/agent/store-settings.ts';
import type { Bootstrap } from '../../../src/model/bootstrap.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

function bootstrap(store: object, dir = tempDir()): Bootstrap {
  const path = join(dir, 'bootstrap.json');
  writeFileSync(path, JSON.stringify({ agent: 'lb1', root: '/edge', store }));
  const loaded = loadBootstrap(path);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

function secretFile(dir: string, name: string, text: string): string {
  writeFileSync(join(dir, name), text, { mode: 0o600 });
  return `file:${join(dir, name)}`;
}

describe('the settings of a store', () => {
  it('are those of ZooKeeper, durations as numbers', () => {
    const settings = bootstrap({ zookeeper: { servers: ['zk1:2181', 'zk2'], sessionTimeout: '6s' } });
    expect(storeSettings(settings, 'agent')).toMatchObject({
      kind: 'zookeeper',
      servers: ['zk1:2181', 'zk2'],
      root: '/edge',
      sessionTimeoutMs: 6_000,
    });
    expect(storeSettings(settings, 'agent')).not.toHaveProperty('tls');
    // An agent may start from what a server without its ensemble remembers; an operator is not shown old records.
    expect(storeSettings(settings, 'agent')).toMatchObject({ allowReadOnly: true });
    expect(storeSettings(settings, 'operator')).toMatchObject({ allowReadOnly: false });
    expect(sessionTimeoutMs(settings)).toBe(6_000);
  });

  it('are those of etcd', () => {
    const settings = bootstrap({ etcd: { endpoints: ['http://e1:2379'], leaseTtl: '15s' } });
    expect(storeSettings(settings, 'agent')).toMatchObject({
      kind: 'etcd',
      endpoints: ['http://e1:2379'],
      root: '/edge',
      leaseTtlMs: 15_000,
    });
    expect(sessionTimeoutMs(settings)).toBe(15_000);
  });

  it('are those of a directory', () => {
    const settings = bootstrap({ directory: { path: '/etc/vipkeeper/store' } });
    expect(storeSettings(settings, 'agent')).toEqual({
      kind: 'directory',
      path: '/etc/vipkeeper/store',
      sessionTimeoutMs: sessionTimeoutMs(settings),
    });
  });

  it.each([
    ['zookeeper', { servers: ['zk1'] }],
    ['etcd', { endpoints: ['e1:2379'] }],
  ] as const)('give %s the credentials of the role: the daemon never those of operators', (kind, fields) => {
    const dir = tempDir();
    const auth = secretFile(dir, 'agent', 'agent:a\n');
    const operatorAuth = secretFile(dir, 'operator', 'ana:o\n');
    const settings = bootstrap({ [kind]: { ...fields, auth }, operatorAuth }, dir);
    const load = (role: 'agent' | 'operator') => {
      const made = storeSettings(settings, role);
      return made.kind === 'directory' ? null : made.auth?.();
    };
    expect(load('agent')).toEqual({ ok: true, value: 'agent:a' });
    expect(load('operator')).toEqual({ ok: true, value: 'ana:o' });
  });

  it('read the secret anew at every connection', () => {
    const dir = tempDir();
    const auth = secretFile(dir, 'zk', 'lb:old');
    const settings = storeSettings(bootstrap({ zookeeper: { servers: ['zk1'], auth } }, dir), 'agent');
    if (settings.kind !== 'zookeeper') throw new Error('not ZooKeeper');
    expect(settings.auth?.()).toEqual({ ok: true, value: 'lb:old' });
    secretFile(dir, 'zk', 'lb:new');
    expect(settings.auth?.()).toEqual({ ok: true, value: 'lb:new' });
  });

  it('read PEM files anew at every connection, and say when one cannot be read', () => {
    const dir = tempDir();
    const ca = join(dir, 'ca.pem');
    const tls = { ca, serverName: 'zk.example' };
    const settings = storeSettings(bootstrap({ zookeeper: { servers: ['zk1'], tls } }, dir), 'agent');
    if (settings.kind !== 'zookeeper') throw new Error('not ZooKeeper');
    expect(settings.tls?.serverName).toBe('zk.example');
    expect(settings.tls?.load()).toMatchObject({ ok: false, error: { code: 'SECRET_UNREADABLE' } });
    writeFileSync(ca, 'PEM');
    expect(settings.tls?.load()).toEqual({ ok: true, value: { ca: Buffer.from('PEM') } });
  });
});
