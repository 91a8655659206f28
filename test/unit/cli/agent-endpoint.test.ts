import { describe, expect, it } from 'vitest';
import { namedEndpoint, ownEndpoint } from '../../../src/cli/agent-endpoint.ts';
import { harness } from './cli-harness.ts';

const TLS = { certificate: '/tls/api.pem', key: '/tls/api.key' };
const HTTPS = new URL('https://lb2.example.net');

describe('where the agent of the bootstrap file answers', () => {
  it('is nowhere, over HTTP, or over HTTPS with exactly its certificate', () => {
    expect(ownEndpoint({ listen: null, tls: TLS })).toBeNull();
    expect(ownEndpoint({ listen: '0.0.0.0:81' })).toEqual({ kind: 'plain', url: new URL('http://127.0.0.1:81') });
    const own = { kind: 'own', url: new URL('https://[::1]:8370'), certificate: '/tls/api.pem' };
    expect(ownEndpoint({ listen: '[::]', tls: TLS })).toEqual({ ...own, client: null, wantsClient: false });
    const mutual = { ...TLS, clientCa: '/tls/ca.pem', clientCertificate: '/tls/cli.pem', clientKey: '/tls/cli.key' };
    const client = { certificate: '/tls/cli.pem', key: '/tls/cli.key' };
    expect(ownEndpoint({ listen: '[::]', tls: mutual })).toEqual({ ...own, client, wantsClient: true });
  });
});

describe('where the agent answers that --api names', () => {
  it('is found by the authorities that are given, or by those of the system', () => {
    expect(namedEndpoint({})).toBeNull();
    expect(namedEndpoint({ api: new URL('http://a:1') })).toEqual({ kind: 'plain', url: new URL('http://a:1') });
    expect(namedEndpoint({ api: HTTPS })).toEqual({ kind: 'other', url: HTTPS, ca: null, client: null });
    const files = { apiCa: 'ca.pem', apiCertificate: 'me.pem', apiKey: 'me.key' };
    const client = { certificate: 'me.pem', key: 'me.key' };
    expect(namedEndpoint({ api: HTTPS, ...files })).toEqual({ kind: 'other', url: HTTPS, ca: 'ca.pem', client });
  });

  it.each([
    [['--api-ca', 'ca.pem'], 'go with --api https'],
    [['--api', 'http://127.0.0.1:1', '--api-ca', 'ca.pem'], 'go with --api https'],
    [['--api', 'https://127.0.0.1:1', '--api-key', 'me.key'], '--api-certificate and --api-key go together'],
  ])('is not understood with %j', async (options, message) => {
    for (const command of ['status', 'verify', 'health']) {
      const outcome = await harness().run(command, ...options);
      expect(outcome).toMatchObject({ exitCode: 2, err: expect.stringContaining(message) as string });
    }
  });
});
