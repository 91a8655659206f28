import { rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket, Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import { createApi } from '../../../src/api/server.ts';
import { exchange } from '../../../src/cli/agent-connection.ts';
import { statusPage } from '../../../src/cli/status-page.ts';
import { silentLog } from '../../../src/core/ports.ts';
import type { ApiTls } from '../../../src/model/bootstrap.ts';
import { secureApi } from '../../fakes/secure-api.ts';
import { statusView } from '../../fakes/status-view.ts';
import { tempDir } from '../../fakes/temp-dir.ts';
import { pem } from '../../fakes/tls-files.ts';
import { freePort } from '../../lab/free-port.ts';
import { harness } from './cli-harness.ts';
import type { Outcome } from './cli-harness.ts';

/** `vipkeeper COMMAND` with a bootstrap file that has this API. */
function run(port: number, tls: ApiTls | undefined, ...args: readonly string[]): Promise<Outcome> {
  const api = { listen: `127.0.0.1:${port}`, ...(tls === undefined ? {} : { tls }) };
  const value = {
    agent: 'lb1',
    store: { directory: { path: '/nowhere' } },
    root: '/vipkeeper',
    stateDir: '/nowhere',
    api,
    log: { level: 'info' as const },
    checkWorkers: 1,
  };
  return harness({ loadBootstrap: () => ({ ok: true, value }) }).run(...args);
}

/** A file of test/vectors/tls. */
function file(name: string): string {
  const path = join(tempDir(), name);
  writeFileSync(path, pem(name));
  return path;
}

const pair = () => ({ certificate: file('server.pem'), key: file('server.key') });
const clientFiles = () => ({ clientCertificate: file('client.pem'), clientKey: file('client.key') });

const failed = (message: RegExp) => ({ exitCode: 1, out: '', err: expect.stringMatching(message) as string });

/** A server with the certificate of `server`. */
async function httpsServer(answer: RequestListener): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ cert: pem('server.pem'), key: pem('server.key') }, answer);
  return { server, port: await portOf(server) };
}

/** Until the test ends. */
async function portOf(server: TcpServer): Promise<number> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

function ownEndpoint(port: number, host = '127.0.0.1') {
  const url = new URL(`https://${host}:${port}`);
  return { kind: 'own', url, certificate: file('server.pem'), client: null, wantsClient: false } as const;
}

describe('the agent of the bootstrap file, over TLS', () => {
  it('is asked by every command that asks one', async () => {
    const { port, tls } = await secureApi();
    expect(await run(port, tls, 'status')).toEqual({ exitCode: 0, out: statusPage(statusView()), err: '' });
    expect(await run(port, tls, 'health')).toMatchObject({ exitCode: 0, out: 'alive\n' });
    // It came there: this API has no kernel to verify.
    expect((await run(port, tls, 'verify')).err).toContain('/v1/verify answers 503');
  });

  it('is known by its certificate, whoever signed it and whatever name it has', async () => {
    const { port, tls } = await secureApi();
    writeFileSync(tls.certificate, pem('client.pem'));
    writeFileSync(tls.key, pem('client.key'));
    expect(await run(port, tls, 'health')).toMatchObject({ exitCode: 0 });
    // Renewed, and asked again at once.
    writeFileSync(tls.certificate, pem('server.pem'));
    writeFileSync(tls.key, pem('server.key'));
    expect(await run(port, tls, 'health')).toMatchObject({ exitCode: 0 });
  });

  it('is no other server, which is not asked', async () => {
    const { port, log } = await secureApi();
    const certificate = file('client.pem');
    for (const command of ['status', 'verify', 'health']) {
      const outcome = await run(port, { certificate, key: '/nowhere' }, command);
      expect(outcome).toMatchObject(failed(/another server than the agent answers at https:\/\/127\.0\.0\.1:[0-9]+/));
      expect(outcome.err).toContain(certificate);
    }
    expect(log.about('answered an API request')).toEqual([]);
  });

  it('is told from an agent that still speaks plain HTTP', async () => {
    const api = createApi({
      status: () => statusView(),
      log: silentLog,
      metrics: new MetricsRegistry(),
      listen: { host: '127.0.0.1', port: await freePort() },
      version: '1.2.3',
    });
    onTestFinished(() => api.stop());
    const { port } = new URL((await api.start()).address ?? '');
    const outcome = await run(Number(port), pair(), 'status');
    expect(outcome).toMatchObject(failed(/does not speak TLS .*once it is started again/));
  });

  it('says why it does not answer plain HTTP', async () => {
    const { port } = await secureApi();
    expect(await run(port, undefined, 'status')).toMatchObject(failed(/answers 400: .*this port speaks HTTPS only/));
  });

  it('cannot be asked where its certificate cannot be read', async () => {
    const { port, tls } = await secureApi();
    rmSync(tls.certificate);
    expect(await run(port, tls, 'status')).toMatchObject(failed(/cannot be asked over HTTPS: ENOENT.*server\.pem/));
    writeFileSync(tls.certificate, 'nonsense');
    expect(await run(port, tls, 'status')).toMatchObject(
      failed(/cannot be asked over HTTPS: .*server\.pem: there is no certificate in it/),
    );
  });

  it('is not there for one whose answer does not end in time', async () => {
    const { port } = await httpsServer((_request, reply) => {
      reply.writeHead(200, { 'content-length': 100 }).write('{"alive":');
    });
    const endpoint = ownEndpoint(port);
    const answer = exchange(endpoint, '/healthz', { method: 'GET', timeoutMs: 1_000 });
    await expect(answer).rejects.toThrow(
      `no agent answers at ${endpoint.url.origin}: no whole answer came within 1 seconds`,
    );
  });

  it('is not there for one that breaks off its answer, which has nothing to do with certificates', async () => {
    const { port } = await httpsServer((request, reply) => {
      reply.writeHead(200, { 'content-length': 100 }).write('{"alive":', () => request.socket.destroy());
    });
    const answer = exchange(ownEndpoint(port), '/healthz', { method: 'GET', timeoutMs: 5_000 });
    await expect(answer).rejects.toThrow(/^no agent answers at .*: the answer broke off \(aborted\)$/);
  });

  it('is not there for one that does not even shake hands in time', async () => {
    const silent = createTcpServer();
    const port = await portOf(silent);
    const answer = exchange(ownEndpoint(port), '/healthz', { method: 'GET', timeoutMs: 200 });
    await expect(answer).rejects.toThrow('no whole answer came within 0.2 seconds');
  });

  it('is found by an IPv6 address', async () => {
    const port = await freePort();
    const answer = exchange(ownEndpoint(port, '[::1]'), '/healthz', { method: 'GET', timeoutMs: 5_000 });
    await expect(answer).rejects.toThrow(/ECONNREFUSED ::1:|EADDRNOTAVAIL|ENETUNREACH/);
  });

  it('is let go at once where it is another', async () => {
    const { server, port } = await httpsServer(() => undefined);
    const closed = new Promise<void>((resolve) => {
      server.on('connection', (socket) => void socket.once('close', () => resolve()));
    });
    const another = { ...ownEndpoint(port), certificate: file('client.pem') };
    // Long before the time is up, which would end the connection too.
    const answer = exchange(another, '/healthz', { method: 'GET', timeoutMs: 900_000 });
    await expect(answer).rejects.toThrow(/another server than the agent/);
    await closed;
  });

  it('is told the name in its address, and of an address nothing (RFC 6066)', async () => {
    const names: unknown[] = [];
    const { server, port } = await httpsServer((_request, reply) => void reply.end());
    server.on('secureConnection', ({ servername }: TLSSocket & { servername?: unknown }) => names.push(servername));
    for (const host of ['localhost', '127.0.0.1']) {
      await exchange(ownEndpoint(port, host), '/healthz', { method: 'GET', timeoutMs: 5_000 });
    }
    expect(names).toEqual(['localhost', false]);
  });

  it('is not there', async () => {
    const outcome = await run(await freePort(), pair(), 'status');
    expect(outcome).toMatchObject(failed(/no agent answers at https:.*ECONNREFUSED/));
  });
});

describe('an agent that wants to know its clients', () => {
  it('is shown the certificate that the bootstrap file names', async () => {
    const { port, tls } = await secureApi({ mutual: true });
    expect(await run(port, { ...tls, ...clientFiles() }, 'health')).toMatchObject({ exitCode: 0 });
  });

  it('is not asked without one', async () => {
    const { port, tls, log } = await secureApi({ mutual: true });
    expect(await run(port, tls, 'health')).toMatchObject(failed(/wants a client certificate .*clientCertificate/));
    expect(log.about('a TLS handshake failed')).toEqual([]);
  });

  it('refuses one that is not for clients, and the rule is told', async () => {
    const { port, tls } = await secureApi({ mutual: true });
    const own = { clientCertificate: tls.certificate, clientKey: tls.key };
    const outcome = await run(port, { ...tls, ...own }, 'health');
    expect(outcome).toMatchObject(failed(/broke off: .*client certificate in .*server\.pem.*clientAuth/));
  });

  it.each([
    [
      'the key of another',
      { clientKey: 'server.key' },
      /server\.key: not the key of the first certificate in .*client\.pem/,
    ],
    ['no key', { clientKey: 'client.pem' }, /client\.pem: there is no private key/],
    ['no certificate', { clientCertificate: 'client.key' }, /client\.key: there is no certificate in it/],
  ])('is not asked with %s, and the file is named', async (_which, wrong, message) => {
    const { port, tls, log } = await secureApi({ mutual: true });
    const names = { clientCertificate: 'client.pem', clientKey: 'client.key', ...wrong };
    const shown = { clientCertificate: file(names.clientCertificate), clientKey: file(names.clientKey) };
    const outcome = await run(port, { ...tls, ...shown }, 'health');
    expect(outcome).toMatchObject(failed(message));
    expect(outcome.err).toContain('the agent cannot be asked over HTTPS: /');
    expect(log.about('a TLS handshake failed')).toEqual([]);
  });

  it('refuses the command line of a bootstrap file that knows nothing of it', async () => {
    const { port, tls } = await secureApi({ mutual: true });
    const { certificate, key } = tls;
    expect(await run(port, { certificate, key }, 'health')).toMatchObject(
      failed(/broke off: .*"api\.tls\.clientCertificate" and "clientKey" name one/),
    );
  });
});

describe('the agent that --api names, over TLS', () => {
  it('is trusted by its authority and its name', async () => {
    const { port } = await secureApi();
    const ca = file('ca.pem');
    const ask = (host: string, ...options: readonly string[]) =>
      harness().run('health', '--api', `https://${host}:${port}`, ...options);
    expect(await ask('127.0.0.1', '--api-ca', ca)).toMatchObject({ exitCode: 0 });
    expect(await ask('127.0.0.1')).toMatchObject(failed(/not trusted: .*--api-ca/));
    expect(await ask('127.0.0.1', '--api-ca', file('server.key'))).toMatchObject(
      failed(/server\.key: there is no certi/),
    );
    // Its certificate has no such name.
    expect(await ask('localhost', '--api-ca', ca)).toMatchObject(failed(/not trusted: .*localhost/));
  });

  it('is shown the certificate that the options name', async () => {
    const { port } = await secureApi({ mutual: true });
    const { clientCertificate, clientKey } = clientFiles();
    const ask = (...options: readonly string[]) =>
      harness().run('health', '--api', `https://127.0.0.1:${port}`, '--api-ca', file('ca.pem'), ...options);
    const own = ['--api-certificate', clientCertificate, '--api-key', clientKey];
    expect(await ask(...own)).toMatchObject({ exitCode: 0 });
    expect(await ask()).toMatchObject(failed(/broke off: .*--api-certificate and --api-key name one/));
  });
});
