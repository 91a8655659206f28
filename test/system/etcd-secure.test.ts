import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ok } from '../../src/core/result.ts';
import { EtcdStoreClient } from '../../src/sources/etcd/client.ts';
import type { EtcdSettings } from '../../src/sources/etcd/settings.ts';
import { ROOT, connected, etcdSource } from '../fault/etcd-fixture.ts';
import { certificateFiles, makeCertificates } from '../lab/certificates.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { put, session, snapshot, until, value } from './contract-store.ts';
import { diskSource } from './disk-source.ts';

describe('etcd with users', () => {
  let cluster: EtcdCluster;
  const as = (user: string): Pick<EtcdSettings, 'auth'> => ({ auth: () => ok(user) });
  const asRoot = (...args: string[]): Promise<string> => cluster.etcdctl('--user', 'root:secret', ...args);

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
    const etcdctl = (...args: string[]): Promise<string> => cluster.etcdctl(...args);
    await etcdctl('put', `${ROOT}/config/vips/web`, '{"n":1}');
    await etcdctl('user', 'add', 'root:secret');
    await etcdctl('user', 'grant-role', 'root', 'root').catch(async () => {
      await etcdctl('role', 'add', 'root');
      await etcdctl('user', 'grant-role', 'root', 'root');
    });
    await etcdctl('user', 'add', 'agent:pass:word');
    await etcdctl('role', 'add', 'agent');
    await etcdctl('role', 'grant-permission', 'agent', '--prefix=true', 'read', `${ROOT}/config/`);
    await etcdctl('role', 'grant-permission', 'agent', '--prefix=true', 'readwrite', `${ROOT}/state/`);
    await etcdctl('user', 'grant-role', 'agent', 'agent');
    await etcdctl('auth', 'enable');
  });
  afterAll(async () => {
    await cluster.close();
  });

  test('read on config/ and write on state/ is all that an agent needs', async () => {
    const source = etcdSource(cluster.endpoints, as('agent:pass:word'));
    await connected(source);
    expect((await snapshot(source)).records.size).toBe(1);
    const report = await value(source.publish(new Map([['state/agents/lb1', Buffer.from('{}')]])));
    expect(report.written).toBe(1);
    await asRoot('put', `${ROOT}/config/vips/web2`, '{}');
    await until(source, (read) => read.records.has('config/vips/web2'));
    const client = new EtcdStoreClient({
      endpoints: cluster.endpoints,
      root: ROOT,
      leaseTtlMs: 1_000,
      ...as('agent:pass:word'),
    });
    const refused = await client.write([put('config/vips/web', '{"n":2}')]);
    expect(refused).toMatchObject({ ok: false, error: { code: 'STORE_FORBIDDEN' } });
    await client.close();
    await source.close({ keepEphemeral: false });
  });

  test('a token that lost its validity is renewed without a word', async () => {
    const source = etcdSource(cluster.endpoints, as('agent:pass:word'));
    const client = new EtcdStoreClient({
      endpoints: cluster.endpoints,
      root: ROOT,
      leaseTtlMs: 1_000,
      ...as('root:secret'),
    });
    await connected(source);
    await value(client.get('config/vips/web'));
    const lease = session(source);
    // Every change of users makes all tokens so far old.
    await asRoot('user', 'add', 'another:one');
    await value(client.write([put('config/vips/web', '{"n":3}')]));
    await value(source.publish(new Map([['state/agents/lb1', Buffer.from('{"n":3}')]])));
    expect((await snapshot(source)).records.size).toBeGreaterThan(0);
    expect(session(source)).toBe(lease);
    // A restarted member knows no tokens at all.
    await cluster.member(0).kill();
    await cluster.member(0).start();
    const next = new Map([['state/agents/lb1', Buffer.from('{"n":4}')]]);
    await eventually('the source logged in again', async () => (await source.publish(next)).ok);
    await eventually('the client, too', async () => (await client.get('config/vips/web')).ok);
    await client.close();
    await source.close({ keepEphemeral: false });
  });

  test.each([
    ['agent:wrong', 'authentication failed'],
    ['nobody:secret', 'authentication failed'],
    ['', 'user name is empty'],
  ])('credentials %j are named as the cause', async (user, text) => {
    const source = etcdSource(cluster.endpoints, user === '' ? {} : as(user));
    source.start();
    await eventually('the cause is told', () => {
      const state = source.state();
      return state.kind === 'connecting' && state.lastError?.includes(text) === true;
    });
    await source.close({ keepEphemeral: false });
    const settings = { endpoints: cluster.endpoints, root: ROOT, leaseTtlMs: 1_000 };
    const client = new EtcdStoreClient(user === '' ? settings : { ...settings, ...as(user) });
    const refused = await client.get('config/vips/web');
    expect(refused).toMatchObject({ ok: false, error: { code: 'STORE_AUTH_FAILED', transient: false } });
    await client.close();
  });
});

describe('etcd over TLS', () => {
  let folder: string;
  let cluster: EtcdCluster;
  const pem = (name: string): Promise<Buffer> => readFile(join(folder, `${name}.pem`));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vipkeeper-tls-'));
    await makeCertificates(folder);
    cluster = await EtcdCluster.start({ tls: certificateFiles(folder) });
  });
  afterAll(async () => {
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('both sides show certificates; names are checked', async () => {
    await cluster.etcdctl('put', `${ROOT}/config/vips/web`, '{"n":1}');
    const material = { ca: await pem('ca'), certificate: await pem('host'), key: await pem('host-key') };
    const endpoints = cluster.endpoints.map((each) => each.replace('127.0.0.1', 'localhost'));
    const source = etcdSource(endpoints, { tls: { load: () => ok(material), serverName: 'store.example' } });
    await connected(source);
    expect((await snapshot(source)).records.has('config/vips/web')).toBe(true);
    await source.close({ keepEphemeral: false });

    const byAddress = etcdSource(cluster.endpoints, { tls: { load: () => ok(material) } });
    await connected(byAddress);
    await byAddress.close({ keepEphemeral: false });

    // The name that was asked for counts, also where the certificate has the address that it stands for.
    for (const [wrong, serverName] of Object.entries({ 'other.example': 'other.example', localhost: undefined })) {
      const name = serverName === undefined ? {} : { serverName };
      const misnamed = etcdSource(endpoints, { tls: { load: () => ok(material), ...name } });
      misnamed.start();
      await eventually(`${wrong} is told to be wrong`, () => {
        const state = misnamed.state();
        return (
          state.kind === 'connecting' && /altnames/.test(state.lastError ?? '') && state.lastError?.includes(wrong)
        );
      });
      await misnamed.close({ keepEphemeral: false });
    }
  });

  test('without a certificate, or with a stranger as authority, there is no connection', async () => {
    const ca = await pem('ca');
    for (const material of [{ ca }, {}]) {
      const source = etcdSource(cluster.endpoints, { tls: { load: () => ok(material), serverName: 'store.example' } });
      source.start();
      await eventually('refused', () => {
        const state = source.state();
        return state.kind === 'connecting' && state.lastError !== null;
      });
      expect(await source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
      await source.close({ keepEphemeral: false });
    }
  });

  test('certificates that were replaced on disk, authority and all, are used from the next connection on', async () => {
    const source = await diskSource({ etcd: { endpoints: cluster.endpoints, tls: certificateFiles(folder) } }, folder);
    await connected(source);
    await makeCertificates(folder);
    // What stands goes on.
    expect((await source.snapshot()).ok).toBe(true);
    await cluster.member(0).kill();
    await eventually('the loss is noticed', () => source.state().kind === 'connecting');
    await cluster.member(0).start();
    await until(source, (read) => read.records.has('config/vips/web'));
    await source.close({ keepEphemeral: false });
  });
});
