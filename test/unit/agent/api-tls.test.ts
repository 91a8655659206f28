import { appendFileSync, copyFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiTlsLoader, apiTlsProblems } from '../../../src/agent/api-tls.ts';
import { pem, tlsFiles } from '../../fakes/tls-files.ts';

type Files = ReturnType<typeof tlsFiles>;

const EMPTY_BLOCK = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const ENCRYPTED = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n';

describe('the files of api.tls', () => {
  it('are a certificate, its key and authorities', () => {
    const loaded = apiTlsLoader(tlsFiles())();
    expect(loaded).toMatchObject({
      ok: true,
      value: { certificate: pem('server.pem'), key: pem('server.key'), clientCa: pem('ca.pem') },
    });
    // As PROVENANCE says.
    expect(loaded.ok ? new Date(loaded.value.validUntil).getUTCFullYear() : 0).toBe(2120);
  });

  it('may be without authorities', () => {
    const { certificate, key } = tlsFiles();
    expect(apiTlsLoader({ certificate, key })()).toMatchObject({ ok: true, value: { clientCa: null } });
  });

  it('are the same object until their bytes change', () => {
    const files = tlsFiles();
    const load = apiTlsLoader(files);
    const first = load();
    const value = (loaded: ReturnType<typeof load>) => (loaded.ok ? loaded.value : null);
    writeFileSync(files.certificate, pem('server.pem'));
    expect(value(load())).toBe(value(first));
    appendFileSync(files.certificate, pem('ca.pem'));
    expect(load()).toMatchObject({ ok: true, value: { certificate: pem('server.pem') + pem('ca.pem') } });
    expect(value(load())).not.toBe(value(first));
  });

  it('are judged once for what is in them, also where that is bad', () => {
    const files = tlsFiles();
    const load = apiTlsLoader(files);
    const good = load();
    writeFileSync(files.key, pem('client.key'));
    const bad = load();
    expect(bad.ok).toBe(false);
    expect(load()).toBe(bad);
    writeFileSync(files.key, pem('server.key'));
    expect(load()).toBe(good);
    writeFileSync(files.key, pem('client.key'));
    expect(load()).toBe(bad);
    writeFileSync(files.key, 'nonsense');
    expect(load()).toMatchObject({ error: [{ found: expect.stringContaining('no private key') as string }] });
  });

  it('are handed on as they were understood, whatever editors have put around the certificates', () => {
    const files = tlsFiles();
    // OpenSSL by itself would pass over the certificate behind the mark, and take the authority for the server's.
    const spoilt = (...names: readonly string[]): string => `\ufeff${names.map(pem).join('').replaceAll('\n', '\r\n')}`;
    writeFileSync(files.certificate, spoilt('server.pem', 'ca.pem'));
    writeFileSync(files.clientCa, spoilt('ca.pem'));
    expect(apiTlsLoader(files)()).toMatchObject({
      ok: true,
      value: { certificate: pem('server.pem') + pem('ca.pem'), key: pem('server.key'), clientCa: pem('ca.pem') },
    });
  });

  it.each<[string, string, (files: Files) => void, RegExp]>([
    ['certificate', 'is missing', ({ certificate }) => rmSync(certificate), /ENOENT/],
    ['certificate', 'is empty', ({ certificate }) => truncateSync(certificate), /no certificate in it/],
    ['certificate', 'holds the key', (f) => copyFileSync(f.key, f.certificate), /no certificate in it/],
    ['certificate', 'is cut off', (f) => truncateSync(f.certificate, 300), /has no end/],
    [
      'certificate',
      'has a bad second one',
      (f) => appendFileSync(f.certificate, EMPTY_BLOCK),
      /number 2 cannot be read/,
    ],
    ['certificate', 'is too large', (f) => truncateSync(f.certificate, 2 ** 20 + 1), /at most 1048576 bytes/],
    ['key', 'is missing', ({ key }) => rmSync(key), /ENOENT/],
    ['key', 'is no key', ({ key }) => writeFileSync(key, 'nonsense'), /no private key/],
    ['key', 'is encrypted', ({ key }) => writeFileSync(key, ENCRYPTED), /encrypted/],
    [
      'key',
      'is of another certificate',
      ({ key }) => writeFileSync(key, pem('client.key')),
      /not the key of the first/,
    ],
    ['clientCa', 'is missing', ({ clientCa }) => rmSync(clientCa), /ENOENT/],
    // OpenSSL would trust nobody then, or, of an empty one, every authority that Node brings.
    ['clientCa', 'is garbage', ({ clientCa }) => writeFileSync(clientCa, 'nonsense'), /no certificate in it/],
    ['clientCa', 'is empty', ({ clientCa }) => truncateSync(clientCa), /no certificate in it/],
  ])('are refused by the name of the field where %s %s', (field, _fault, spoil, found) => {
    const files = tlsFiles();
    spoil(files);
    const loaded = apiTlsLoader(files)();
    expect(loaded.ok ? [] : loaded.error).toEqual([
      {
        field: `api.tls.${field}`,
        file: files[field as keyof Files],
        found: expect.stringMatching(found) as string,
        allowed: expect.stringContaining('a PEM file with') as string,
      },
    ]);
  });

  it('are refused where OpenSSL would not serve with them', () => {
    const files = tlsFiles();
    writeFileSync(files.certificate, pem('short.pem'));
    writeFileSync(files.key, pem('short.key'));
    expect(apiTlsLoader(files)()).toMatchObject({
      ok: false,
      error: [{ field: 'api.tls.certificate', found: expect.stringContaining('key too small') as string }],
    });
  });

  it('are never a device, which would not end', () => {
    const loaded = apiTlsLoader({ ...tlsFiles(), key: '/dev/zero' })();
    expect(loaded).toMatchObject({ ok: false, error: [{ field: 'api.tls.key', file: '/dev/zero' }] });
  });

  it('have all their faults told, with the bootstrap file that names them', () => {
    const files = tlsFiles();
    for (const file of [files.certificate, files.clientCa]) rmSync(file);
    const problems = apiTlsProblems('/etc/b.json', { listen: '127.0.0.1:8370', tls: files });
    expect(problems.map(({ path, field }) => `${path} ${field}`)).toEqual([
      '/etc/b.json api.tls.certificate',
      '/etc/b.json api.tls.clientCa',
    ]);
    expect(problems[0]?.found).toContain(`${files.certificate}: ENOENT`);
    expect(apiTlsProblems('/etc/b.json', { listen: null, tls: files })).toEqual([]);
    expect(apiTlsProblems('/etc/b.json', { listen: '127.0.0.1:8370' })).toEqual([]);
  });
});
