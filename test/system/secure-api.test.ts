import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadBootstrap } from '../../src/agent/bootstrap-file.ts';
import { storeSettings } from '../../src/agent/store-settings.ts';
import { wireAgent } from '../../src/agent/wire.ts';
import type { WiredAgent } from '../../src/agent/wire.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { openStoreClient } from '../../src/sources/open-source.ts';
import { certificateFiles, makeCertificates } from '../lab/certificates.ts';
import { eventually } from '../lab/eventually.ts';
import { freePort } from '../lab/free-port.ts';
import { harness } from '../unit/cli/cli-harness.ts';
import type { Outcome } from '../unit/cli/cli-harness.ts';

/*
 * A whole agent whose API speaks TLS with certificates by OpenSSL, its command line, and a client that is neither.
 */

const OPERATOR = 'ana:secret';
const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-api-'));
const at = (name: string): string => join(folder, name);
/** Two authorities, each with a certificate that is for servers and for clients. */
const ours = at('ours');
const theirs = at('theirs');
/** What the bootstrap file names. */
const served = { certificate: at('api.pem'), key: at('api.key'), clientCa: at('clients-ca.pem') };
const shown = { clientCertificate: at('cli.pem'), clientKey: at('cli.key') };

let port: number;
let wired: WiredAgent;

beforeAll(async () => {
  for (const authority of [ours, theirs]) {
    mkdirSync(authority);
    await makeCertificates(authority);
  }
  serve(ours);
  show(ours);
  process.env['VIPKEEPER_TEST_OPERATOR'] = OPERATOR;
  port = await freePort();
  mkdirSync(at('state'));
  put('store/config/agents/_default.json', { dataplane: 'memory' });
  put('store/config/vips/web.json', { addresses: ['203.0.113.10'], interface: null });
  put('store/config/services/web.json', { vip: 'web', match: { ports: ['80'] } });
  put('store/config/services/web/reals/a.json', { address: '10.0.0.1' });
  put('bootstrap.json', {
    agent: 'lb1',
    store: { directory: { path: at('store') }, operatorAuth: 'env:VIPKEEPER_TEST_OPERATOR' },
    stateDir: at('state'),
    api: { listen: `127.0.0.1:${port}`, tls: { ...served, ...shown } },
  });
  const bootstrap = loadBootstrap(at('bootstrap.json'));
  if (!bootstrap.ok) throw new Error(JSON.stringify(bootstrap.error));
  const agent = await wireAgent(bootstrap.value, silentLog);
  if (!agent.ok) throw agent.error;
  wired = agent.value;
  wired.agent.start();
});

afterAll(async () => {
  await wired.api.stop();
  await wired.agent.stop({ kind: 'stop', flush: false });
  rmSync(folder, { recursive: true, force: true });
});

function put(file: string, content: object): void {
  mkdirSync(join(at(file), '..'), { recursive: true });
  writeFileSync(at(file), JSON.stringify(content));
}

/** The API gets the certificate, and the clients, of an authority. */
function serve(authority: string): void {
  const { ca, certificate, key } = certificateFiles(authority);
  copyFileSync(certificate, served.certificate);
  copyFileSync(key, served.key);
  copyFileSync(ca, served.clientCa);
}

/** The command line gets the certificate of an authority. */
function show(authority: string): void {
  const { certificate, key } = certificateFiles(authority);
  copyFileSync(certificate, shown.clientCertificate);
  copyFileSync(key, shown.clientKey);
}

function run(...args: readonly string[]): Promise<Outcome> {
  const deps = { clock: systemClock, random: Math.random, log: silentLog };
  const cli = {
    openStore: (loaded: Parameters<typeof storeSettings>[0]) =>
      openStoreClient(storeSettings(loaded, 'operator'), deps),
  };
  return harness({ loadBootstrap, ...cli }, { VIPKEEPER_BOOTSTRAP: at('bootstrap.json') }).run(...args);
}

/** As Prometheus asks, with `ca_file`, `cert_file` and `key_file`; rejects when there is no answer. */
function ask(
  authority: string,
  { path = '/metrics', method = 'GET', body = '', client = authority } = {},
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const { ca } = certificateFiles(authority);
  const own = certificateFiles(client);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: false,
        auth: OPERATOR,
        ca: readFileSync(ca),
        cert: readFileSync(own.certificate),
        key: readFileSync(own.key),
        headers: body === '' ? {} : { 'content-type': 'application/json' },
      },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
        reply.on('end', () => resolve({ status: reply.statusCode, text })).on('error', reject);
      },
    );
    sent.on('error', reject).end(body);
  });
}

test('every command that asks the agent finds it by the bootstrap file', async () => {
  await eventually('it is ready', async () => (await run('status')).out.includes('ready   yes'));
  expect(await run('health')).toMatchObject({ exitCode: 0, out: 'alive\n' });
  expect(await run('verify')).toMatchObject({ exitCode: 0, err: '' });
  const plan = await run('plan', '--json', '--rm', 'config/services/web/reals/a');
  expect(plan).toMatchObject({ exitCode: 8, err: '' });
  // The agent was asked for the connections of what would go.
  expect(JSON.parse(plan.out)).toMatchObject({ agent: { connectionsUnknown: null } });
});

test('a scrape and a write get through, the write with credentials from this machine', async () => {
  expect((await ask(ours)).text).toContain('vipkeeper_ready 1');
  const drain = { path: '/v1/drains', method: 'POST', body: '{"target": "web/a", "why": "kernel upgrade"}' };
  expect(await ask(ours, drain)).toMatchObject({ status: 201 });
});

test('a client of another authority is refused, and the command line says what would be right', async () => {
  await expect(ask(ours, { client: theirs })).rejects.toThrow(/socket hang up|ECONNRESET/);
  show(theirs);
  const outcome = await run('status');
  expect(outcome).toMatchObject({ exitCode: 1, out: '' });
  expect(outcome.err).toContain(`client certificate in ${shown.clientCertificate}: it must be signed by an authority`);
  show(ours);
  expect(await run('health')).toMatchObject({ exitCode: 0 });
});

test('certificates that were replaced on disk, authority and all, are used from the next connection on', async () => {
  serve(theirs);
  await expect(ask(ours)).rejects.toThrow(/certificate/);
  expect((await ask(theirs)).text).toContain('vipkeeper_ready');
  await expect(ask(theirs, { client: ours })).rejects.toThrow(/socket hang up|ECONNRESET/);
  show(theirs);
  expect(await run('health')).toMatchObject({ exitCode: 0 });
});

test('a key that was replaced alone is a problem in the status, and what was there before stays in use', async () => {
  copyFileSync(certificateFiles(ours).key, served.key);
  expect((await ask(theirs)).text).toContain('\nvipkeeper_problems 1\n');
  expect((await run('status')).out).toContain(`${served.key}: api.tls.key: found not the key of the first certificate`);
  copyFileSync(certificateFiles(theirs).key, served.key);
  expect((await ask(theirs)).text).toContain('\nvipkeeper_problems 0\n');
});
