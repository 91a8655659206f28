import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ok } from '../../src/core/result.ts';
import type { StoreTls, TlsMaterial } from '../../src/sources/credentials.ts';
import { certificateFiles, makeCertificates } from '../lab/certificates.ts';
import { eventually } from '../lab/eventually.ts';
import { freePort } from '../lab/free-port.ts';
import { Cleanups, openClient, orThrow } from '../lab/zookeeper-kit.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';
import { diskSource } from './disk-source.ts';

const VECTORS = join(import.meta.dirname, '../vectors/tls');
const pem = (name: string): string => readFileSync(join(VECTORS, name), 'utf8');
const CA = pem('ca.pem');
const CLIENT: TlsMaterial = { ca: CA, certificate: pem('client.pem'), key: pem('client.key') };

const cleanups = new Cleanups();
let folder: string;
let secure: string;
let keyStore: string;
let trustStore: string;
let ensemble: ZookeeperEnsemble;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vipkeeper-tls-'));
  keyStore = join(folder, 'server.pem');
  trustStore = join(folder, 'trusted.pem');
  writeFileSync(keyStore, `${pem('server.key')}\n${pem('server.pem')}`);
  writeFileSync(trustStore, CA);
  const port = await freePort();
  secure = `127.0.0.1:${port}`;
  const config = [
    `secureClientPort=${port}`,
    'secureClientPortAddress=127.0.0.1',
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    `ssl.keyStore.location=${keyStore}`,
    'ssl.keyStore.type=PEM',
    `ssl.trustStore.location=${trustStore}`,
    'ssl.trustStore.type=PEM',
    'ssl.clientAuth=need',
    // The client's address is not in its certificate.
    'ssl.hostnameVerification=false',
  ];
  ensemble = cleanups.add(await ZookeeperEnsemble.start({ config }));
});
afterAll(async () => {
  await cleanups.run();
  await rm(folder, { recursive: true, force: true });
});

function lastError(tls: StoreTls): Promise<string> {
  const watched = cleanups.source([secure], { tls });
  return eventually('an error', () => {
    const state = watched.source.state();
    return state.kind === 'connecting' ? state.lastError : null;
  });
}

test('a server and a client that know each other', async () => {
  const tls = { load: () => ok(CLIENT) };
  const client = cleanups.add(openClient([secure], { tls }));
  orThrow(await client.write([{ kind: 'put', path: 'config/vips/web', bytes: Buffer.from('{}') }]));
  const watched = cleanups.source([secure], { tls });
  expect(await watched.text('config/vips/web')).toBe('{}');
});

test('the certificate must carry the name that was dialled, or the one that was agreed on', async () => {
  const load = () => ok(CLIENT);
  const watched = cleanups.source([secure], { tls: { load, serverName: 'real.example.test' } });
  await watched.session();
  expect(await lastError({ load, serverName: 'other.example.test' })).toMatch(/altnames/i);
});

test('an authority that is not ours is not trusted', async () => {
  expect(await lastError({ load: () => ok({ certificate: CLIENT.certificate ?? '', key: CLIENT.key ?? '' }) })).toMatch(
    /certificate/i,
  );
});

test('certificates are read for every connection: rotated files need no restart', async () => {
  let material: TlsMaterial = { ca: CA };
  const watched = cleanups.source([secure], { tls: { load: () => ok(material) } });
  await eventually('the server refuses a client without a certificate', () => {
    const state = watched.source.state();
    return state.kind === 'connecting' && state.lastError !== null;
  });
  material = CLIENT;
  await watched.session();
});

test('material that makes no sense is an error, not a crash', async () => {
  expect(await lastError({ load: () => ok({ ca: CA, certificate: 'nonsense', key: 'nonsense' }) })).toMatch(/PEM|key/i);
});

// The last one, since the server has other certificates afterwards.
test('certificates that were replaced on disk, authority and all, are used from the next connection on', async () => {
  const files = certificateFiles(folder);
  copyFileSync(join(VECTORS, 'ca.pem'), files.ca);
  copyFileSync(join(VECTORS, 'client.pem'), files.certificate);
  copyFileSync(join(VECTORS, 'client.key'), files.key);
  const zookeeper = { servers: [secure], sessionTimeout: '2s', tls: files };
  const source = cleanups.add(await diskSource({ zookeeper }, folder));
  source.start();
  await eventually('the old ones', () => source.state().kind === 'connected');
  await makeCertificates(folder);
  // What stands goes on.
  expect((await source.snapshot()).ok).toBe(true);
  await ensemble.member(0).kill();
  copyFileSync(join(folder, 'host-both.pem'), keyStore);
  copyFileSync(files.ca, trustStore);
  ensemble.member(0).start();
  await ensemble.member(0).ready();
  await eventually('the new ones', async () => {
    const read = await source.snapshot();
    return read.ok && read.value.records.has('config/vips/web');
  });
});
