import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import type { ServedCertificate } from '../../../src/api/served-certificate.ts';
import { buildApp } from '../../../src/api/server.ts';
import { eventually } from '../../lab/eventually.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { rawClient } from '../../fakes/raw-client.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { secureApi } from '../../fakes/secure-api.ts';
import { statusView } from '../../fakes/status-view.ts';
import { askOverTls } from '../../fakes/tls-client.ts';
import { pem, servedCertificate, tlsFiles } from '../../fakes/tls-files.ts';

const CLIENT = { cert: pem('client.pem'), key: pem('client.key') };
/** Signed by the same authority, but for servers only. */
const NO_CLIENT = { cert: pem('server.pem'), key: pem('server.key') };
const ALIVE = /^HTTP\/1\.1 200 OK\r\n[^]*\{"alive":true\}$/;

/** The beginning of a ClientHello: a record of 512 bytes, of which one is there (RFC 8446 section 5.1). */
const BEGUN = Uint8Array.of(22, 3, 1, 2, 0, 1);

describe('the API over TLS', () => {
  it('answers, and says so in its address', async () => {
    const { port, address } = await secureApi();
    expect(address).toBe(`https://127.0.0.1:${port}`);
    const { text, fingerprint } = await askOverTls(port);
    expect(text).toMatch(ALIVE);
    expect(fingerprint).toBe(new X509Certificate(pem('server.pem')).fingerprint256);
  });

  it('is not for a client that knows nothing newer than TLS 1.1', async () => {
    const { port } = await secureApi();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(askOverTls(port, old)).rejects.toThrow(/version/);
    expect((await askOverTls(port, { maxVersion: 'TLSv1.2' })).text).toMatch(ALIVE);
  });

  it('tells a client that speaks plain HTTP why it does not answer', async () => {
    const { port } = await secureApi();
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: { code: 'BAD_REQUEST', message: 'this port speaks HTTPS only' } });
  });

  it('answers an operator who speaks plain HTTP the same, credentials or not', async () => {
    const { port } = await secureApi();
    const answer = await fetch(`http://127.0.0.1:${port}/v1/config/vips/web`, {
      method: 'PUT',
      body: '{"addresses": ["203.0.113.10"]}',
      headers: { 'content-type': 'application/json', authorization: 'Basic YW5hOnNlY3JldA==' },
    });
    expect(answer.status).toBe(400);
  });

  it('has the limits of plain HTTP', () => {
    const [clock, log] = [new ManualClock(), new RecordingLog()];
    const limits = (certificate: ServedCertificate | null) => {
      const deps = { status: () => statusView(), log, metrics: new MetricsRegistry(), listen: null, version: '1.2.3' };
      const { server } = buildApp({ ...deps, clock, certificate });
      return [server.timeout, server.requestTimeout, server.keepAliveTimeout, server.maxConnections];
    };
    const plain = limits(null);
    expect(plain).toEqual([15_000, 5_000, 10_000, 128]);
    expect(limits(servedCertificate(tlsFiles(), { clock, log }))).toEqual(plain);
  });

  it('keeps a connection whose handshake was in time', async () => {
    const clock = new ManualClock();
    const { port } = await secureApi({ clock });
    const socket = connect({ host: '127.0.0.1', port, ca: pem('ca.pem') });
    const closed = new Promise<void>((resolve) => void socket.on('close', () => resolve()));
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
    const answers = () => text.split('{"alive":true}').length - 1;
    socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await eventually('the first answer', () => answers() === 1);
    clock.advance(60_000);
    socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
    await closed;
    expect(answers()).toBe(2);
  });

  it('survives a handshake that is none', async () => {
    const { port, log } = await secureApi();
    const { closed } = await rawClient(port, Buffer.concat([BEGUN, Buffer.alloc(2_000, 0xff)]));
    await closed;
    expect(log.about('a TLS handshake failed')).toHaveLength(1);
    expect((await askOverTls(port)).text).toMatch(ALIVE);
  });
});

describe('the API with authorities for its clients', () => {
  it('answers a client with a certificate of theirs', async () => {
    const { port } = await secureApi({ mutual: true });
    expect((await askOverTls(port, CLIENT)).text).toMatch(ALIVE);
    expect((await askOverTls(port, { ...CLIENT, maxVersion: 'TLSv1.2' })).text).toMatch(ALIVE);
  });

  it.each([
    ['without one', {}],
    ['without one, by TLS 1.2', { maxVersion: 'TLSv1.2' }],
    ['with one that is for servers', NO_CLIENT],
    ['with one that is for servers, by TLS 1.2', { ...NO_CLIENT, maxVersion: 'TLSv1.2' }],
  ] as const)('tells nothing to a client %s', async (_which, options) => {
    const { port, log } = await secureApi({ mutual: true });
    const answer = await askOverTls(port, options).catch((error: unknown) => error);
    if (!(answer instanceof Error)) expect(answer).toMatchObject({ text: '' });
    await eventually('it is noted', () => log.about('a TLS handshake failed').length === 1);
    expect(log.about('answered an API request')).toEqual([]);
  });

  it('does not know a client again whose authority was taken out meanwhile', async () => {
    const { port, files } = await secureApi({ mutual: true });
    const { session } = await askOverTls(port, CLIENT);
    if (session === undefined) throw new Error('no session');
    // Known again: the certificate need not be shown.
    const again = await askOverTls(port, { session });
    expect(again.resumed).toBe(true);
    expect(again.text).toMatch(ALIVE);
    writeFileSync(files.clientCa, pem('server.pem'));
    const answer = await askOverTls(port, { session, ...CLIENT }).catch((error: unknown) => error);
    if (!(answer instanceof Error)) expect(answer).toMatchObject({ resumed: false, text: '' });
  });
});

describe('files that are replaced', () => {
  it('are used from the next connection on, and by no other', async () => {
    const { port, files } = await secureApi();
    const before = await rawClient(port, '');
    writeFileSync(files.certificate, pem('client.pem'));
    writeFileSync(files.key, pem('client.key'));
    const next = await askOverTls(port, { checkServerIdentity: () => undefined, rejectUnauthorized: false });
    expect(next.text).toMatch(ALIVE);
    expect(next.fingerprint).toBe(new X509Certificate(pem('client.pem')).fingerprint256);
    before.socket.destroy();
  });

  it('that do not fit leave the old ones in use', async () => {
    const { port, files } = await secureApi();
    writeFileSync(files.key, pem('client.key'));
    const { text, fingerprint } = await askOverTls(port);
    expect(text).toMatch(ALIVE);
    expect(fingerprint).toBe(new X509Certificate(pem('server.pem')).fingerprint256);
  });
});

describe('files that do not fit', () => {
  it('are noticed although no client comes, as long as the API runs', async () => {
    const clock = new ManualClock();
    const { api, log, tls } = await secureApi({ clock });
    writeFileSync(tls.key, pem('client.key'));
    clock.advance(10_000);
    expect(log.about('the certificate of the API has problems')).toHaveLength(1);
    await api.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('connections that lead to nothing', () => {
  it('are cut off when the first byte, or the end of a refused one, does not come', async () => {
    const clock = new ManualClock();
    const { port } = await secureApi({ clock });
    const silent = await rawClient(port, '');
    const refused = await rawClient(port, 'SSH-2.0-OpenSSH_9.2\r\n');
    // The server took the connections in their order.
    await eventually('the refusal', () => refused.socket.bytesRead > 0);
    clock.advance(5_000);
    expect(await silent.closed).toBe('');
    expect(await refused.closed).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*this port speaks HTTPS only/);
  });

  it('leave no deadline behind when they end before it', async () => {
    const clock = new ManualClock();
    const { port } = await secureApi({ clock });
    const before = clock.pendingTimers;
    const { socket } = await rawClient(port, '');
    await eventually('a deadline', () => clock.pendingTimers === before + 1);
    // Without a farewell, which is an error to whoever reads.
    socket.resetAndDestroy();
    await eventually('none', () => clock.pendingTimers === before);
  });

  it('do not keep the API from stopping', async () => {
    // By this clock no handshake is ever late, so the stop must not wait for one.
    const clock = new ManualClock();
    const { port, api } = await secureApi({ clock });
    const silent = await rawClient(port, '');
    const begun = await rawClient(port, BEGUN);
    // The server took the connections in their order.
    await askOverTls(port);
    const stopping = api.stop();
    clock.advance(1_000);
    await Promise.all([silent.closed, begun.closed, stopping]);
    await expect(askOverTls(port)).rejects.toThrow(/ECONNREFUSED/);
  });
});
