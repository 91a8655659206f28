import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TrustStore } from '../../../src/checks/trust.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { tempDir } from '../../fakes/temp-dir.ts';
import { OK, TLS_VECTORS, answers, probe, real, tlsReal } from './probing.ts';

const https = (port: number, record: Record<string, unknown> = {}) => probe({ type: 'https', ...record }, port);
const CA = `file:${TLS_VECTORS}ca.pem`;

describe('a TLS real', () => {
  it('is up although nobody knows its authority', async () => {
    expect(await https(await tlsReal(answers(OK)))).toMatchObject({ kind: 'success', cause: '200' });
  });

  it('is judged by its status', async () => {
    const port = await tlsReal(answers('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n'));
    expect(await https(port)).toMatchObject({ kind: 'failure', cause: 'status 500, wanted 200-299', proof: 'answer' });
  });

  it('that speaks no TLS has failed in the handshake', async () => {
    const outcome = await https(await real(answers(OK)));
    expect(outcome).toMatchObject({ kind: 'failure', proof: 'answer' });
    expect(outcome.cause).toMatch(/wrong version number.*during the TLS handshake/);
  });

  it('that closes in the handshake has failed', async () => {
    const port = await real((socket) => socket.once('data', () => socket.end()));
    expect(await https(port)).toMatchObject({
      kind: 'failure',
      cause: `connection closed by 127.0.0.1:${port}, during the TLS handshake`,
    });
  });

  it('that is silent in the handshake has failed', async () => {
    const port = await real((socket) => socket.resume());
    expect(await https(port, { timeout: '400ms' })).toMatchObject({
      cause: `no answer from 127.0.0.1:${port} within 400 ms, during the TLS handshake`,
      proof: 'absence',
    });
  });

  it('that shares no protocol version with us has failed', async () => {
    const port = await tlsReal(answers(OK), { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' });
    const outcome = await https(port);
    expect(outcome).toMatchObject({ kind: 'failure', proof: 'answer' });
    expect(outcome.cause).toMatch(/version/);
  });
});

describe('verify', () => {
  it('trusts the authority that the check names', async () => {
    const port = await tlsReal(answers(OK));
    expect(await https(port, { verify: true, ca: CA, host: 'real.example.test' })).toMatchObject({ kind: 'success' });
    expect(await https(port, { verify: true, ca: CA, sni: 'real.example.test', host: 'other.test' })).toMatchObject({
      kind: 'success',
    });
    // Without a name it is the address that the certificate must carry, and this one does.
    expect(await https(port, { verify: true, ca: CA })).toMatchObject({ kind: 'success' });
  });

  it('refuses another name', async () => {
    const port = await tlsReal(answers(OK));
    const outcome = await https(port, { verify: true, ca: CA, host: 'www.example.org:443' });
    expect(outcome).toMatchObject({ kind: 'failure', proof: 'answer' });
    expect(outcome.cause).toMatch(/www\.example\.org.*ERR_TLS_CERT_ALTNAME_INVALID/);
  });

  it('refuses an authority that is not known', async () => {
    const outcome = await https(await tlsReal(answers(OK)), { verify: true, host: 'real.example.test' });
    expect(outcome).toMatchObject({ kind: 'failure', proof: 'answer' });
    expect(outcome.cause).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER/);
  });
});

describe('what is shown to the real', () => {
  it('is the server name of the check, of its host, or none', async () => {
    const seen: unknown[] = [];
    const port = await tlsReal((socket) => {
      seen.push('servername' in socket ? socket.servername : 'not a TLS socket');
      answers(OK)(socket);
    });
    await https(port, { sni: 'inner.example.org', host: 'www.example.org' });
    await https(port, { host: 'www.example.org:8443' });
    await https(port, { host: '10.0.0.1' });
    await https(port);
    expect(seen).toEqual(['inner.example.org', 'www.example.org', false, false]);
  });

  it('is a client certificate where the check has one', async () => {
    const ca = readFileSync(`${TLS_VECTORS}ca.pem`);
    const port = await tlsReal(answers(OK), { requestCert: true, rejectUnauthorized: true, ca });
    const pair = { certificate: `file:${TLS_VECTORS}client.pem`, key: `file:${TLS_VECTORS}client.key` };
    expect(await https(port, pair)).toMatchObject({ kind: 'success' });
    expect(await https(port)).toMatchObject({ kind: 'failure' });
  });
});

describe('certificates that cannot be read', () => {
  it('are our own trouble, not the real’s', async () => {
    const port = await tlsReal(answers(OK));
    const outcome = await https(port, { verify: true, ca: 'file:/nonexistent/ca.pem' });
    expect(outcome.kind).toBe('notRun');
    expect(outcome.cause).toMatch(/file:\/nonexistent\/ca\.pem cannot be used: ENOENT/);
    expect((await https(port, { verify: true, ca: 'env:VIPKEEPER_NO_SUCH_CA' })).cause).toMatch(/not set/);
    expect((await https(port, { verify: true, ca: 'file:/dev/zero' })).cause).toMatch(/not a regular file/);
  });

  it('leave the last good ones in use, and are read again when they change', () => {
    const clock = new ManualClock();
    const problems: string[] = [];
    const trust = new TrustStore(clock, (problem) => problems.push(problem));
    const path = join(tempDir(), 'ca.pem');
    copyFileSync(`${TLS_VECTORS}ca.pem`, path);
    const material = { verify: true, ca: `file:${path}`, certificate: null, key: null };
    const context = () => {
      const result = trust.contextFor(material);
      if (!result.ok) throw new Error(result.error);
      return result.value;
    };
    const first = context();
    expect(context()).toBe(first);
    clock.advance(11_000);
    expect(context()).toBe(first);
    rmSync(path);
    clock.advance(11_000);
    expect(context()).toBe(first);
    expect(problems).toEqual([expect.stringContaining('the last good version stays in use')]);
    writeFileSync(path, readFileSync(`${TLS_VECTORS}server.pem`));
    clock.advance(11_000);
    expect(context()).not.toBe(first);
  });
});
