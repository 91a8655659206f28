import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreDesk } from '../../../src/agent/store-desk.ts';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import { buildApp } from '../../../src/api/server.ts';
import { WRITE_ROUTES } from '../../../src/api/write-routes.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { err, ok } from '../../../src/core/result.ts';
import { MemoryStoreClient } from '../../fakes/memory-store-client.ts';
import { statusView } from '../../fakes/status-view.ts';
import { seed } from '../cli/cli-harness.ts';

const HELD = `sha256:${'a'.repeat(64)}`;
const AUTH = { authorization: `Basic ${Buffer.from('ana:secret').toString('base64')}`, host: '127.0.0.1:8370' };

let store: MemoryStoreClient;
let app: FastifyInstance;
let readable = true;

beforeEach(() => {
  store = new MemoryStoreClient();
  seed(store);
  readable = true;
  app = appWith(
    new StoreDesk({
      openStore: () => Promise.resolve(ok(store)),
      credentials: () => (readable ? ok('ana:secret') : err(new CodedError('SECRET_UNREADABLE', 'file:/x'))),
      checks: checkCatalog,
      agent: 'lb1',
    }),
  );
});

afterEach(async () => {
  await app.close();
});

function appWith(desk: StoreDesk | null): FastifyInstance {
  const hold = { revision: HELD, why: 'too much', since: '2026-01-01T00:00:00.000Z', lost: [] };
  const status = () => statusView({ holds: [hold] });
  return buildApp({ status, log: silentLog, metrics: new MetricsRegistry(), listen: null, version: '1', desk });
}

type Method = 'PUT' | 'POST' | 'DELETE';

function send(
  method: Method,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const request: InjectOptions = { method, url, headers: { ...AUTH, ...json, ...headers } };
  return app.inject(body === undefined ? request : { ...request, payload });
}

describe('writing records', () => {
  const REAL = '/v1/config/services/web/reals/c';

  it('creates, changes, leaves alone, and deletes, byte for byte and with revisions', async () => {
    const made = await send('PUT', REAL, '{ "address": "10.0.0.13" }\n');
    expect([made.statusCode, made.json()]).toEqual([
      201,
      { path: 'config/services/web/reals/c', outcome: 'created', revision: '8' },
    ]);
    expect(store.text('config/services/web/reals/c')).toBe('{ "address": "10.0.0.13" }\n');
    expect((await send('PUT', REAL, '{ "address": "10.0.0.13" }\n')).json()).toMatchObject({ outcome: 'unchanged' });
    const changed = await send('PUT', REAL, { address: '10.0.0.14' });
    expect([changed.statusCode, changed.json()]).toMatchObject([200, { outcome: 'changed', revision: '9' }]);
    const gone = await send('DELETE', REAL);
    expect([gone.statusCode, gone.json()]).toMatchObject([200, { outcome: 'deleted', revision: null }]);
    expect(store.text('config/services/web/reals/c')).toBeUndefined();
    expect((await send('DELETE', REAL)).statusCode).toBe(404);
    expect(store.closed).toBe(true);
  });

  it('compares and sets', async () => {
    expect((await send('PUT', REAL, { address: '10.0.0.13' }, { 'if-match': '"7"' })).statusCode).toBe(409);
    expect((await send('PUT', REAL, { address: '10.0.0.13' }, { 'if-none-match': '*' })).statusCode).toBe(201);
    expect((await send('PUT', REAL, { address: '10.0.0.14' }, { 'if-none-match': '*' })).statusCode).toBe(409);
    const stale = await send('PUT', REAL, { address: '10.0.0.14' }, { 'if-match': '"7"' });
    expect([stale.statusCode, stale.json()]).toMatchObject([409, { error: { code: 'CONFLICT' } }]);
    expect((await send('PUT', REAL, { address: '10.0.0.14' }, { 'if-match': '"8"' })).statusCode).toBe(200);
    expect((await send('DELETE', REAL, undefined, { 'if-match': '8' })).statusCode).toBe(409);
    for (const match of ['W/"9"', '"x"', '*', '"9", "8"']) {
      expect((await send('DELETE', REAL, undefined, { 'if-match': match })).statusCode).toBe(400);
    }
    store.beforeWrite = () => store.put('config/services/web/reals/c', { address: '10.0.0.15' });
    expect((await send('PUT', REAL, { address: '10.0.0.16' })).statusCode).toBe(409);
    expect((await send('DELETE', REAL, undefined, { 'if-match': '9' })).statusCode).toBe(409);
  });

  it.each([
    ['/v1/config/services/web', { vip: 'web', match: { ports: ['443'] }, schedular: 'rr' }, 'schedular'],
    ['/v1/config/services/nope/reals/a', { address: '10.0.0.1' }, 'no service'],
    ['/v1/config/vips', { addresses: [] }, 'found a record, allowed a folder'],
    ['/v1/config/../state/agents/lb1', {}, ''],
    ['/v1/config/%2e%2e%2fstate%2fagents%2flb1', {}, ''],
    ['/v1/config/vips/web', '{"addresses": [], "addresses": []}', 'twice'],
  ])('refuses %s if the records are not valid with it', async (url, body, text) => {
    const before = [...store.records];
    const reply = await send('PUT', url, body);
    expect([405, 422]).toContain(reply.statusCode);
    expect(reply.body).toContain(text);
    expect([...store.records]).toEqual(before);
  });

  it('refuses a deletion that leaves others without what they need', async () => {
    expect((await send('DELETE', '/v1/config/vips/web')).statusCode).toBe(422);
    expect((await send('DELETE', '/v1/config/services/web')).statusCode).toBe(409);
    expect(store.text('config/services/web')).toBeDefined();
  });

  it('refuses an empty body, which would delete, one that is too large, and any other type', async () => {
    expect((await send('PUT', '/v1/config/vips/web', '')).statusCode).toBe(400);
    expect((await send('PUT', '/v1/config/vips/web')).statusCode).toBe(400);
    expect((await send('PUT', '/v1/config/vips/web', 'x'.repeat(65 * 1024))).statusCode).toBe(413);
    const form = { 'content-type': 'text/plain' };
    const reply = await send('PUT', '/v1/config/vips/web', '{"addresses": ["203.0.113.9"]}', form);
    expect([reply.statusCode, reply.json()]).toMatchObject([415, { error: { code: 'UNSUPPORTED_MEDIA_TYPE' } }]);
    expect(store.text('config/vips/web')).toContain('203.0.113.10');
  });

  it('says when the store could not be asked', async () => {
    store.list = () => Promise.resolve(err(new CodedError('STORE_UNREACHABLE', 'nobody answers')));
    const reply = await send('PUT', '/v1/config/vips/web', {});
    expect([reply.statusCode, reply.json()]).toMatchObject([503, { error: { code: 'STORE_UNAVAILABLE' } }]);
    expect(reply.body).toContain('nobody answers');
  });
});

describe('drains and approvals', () => {
  it('drains by target, in the name of the credentials, and ends it', async () => {
    const drained = await send('POST', '/v1/drains', { target: 'web/a', why: 'kernel' });
    expect([drained.statusCode, drained.json()]).toMatchObject([201, { path: 'config/drains/web.a' }]);
    expect(JSON.parse(store.text('config/drains/web.a') ?? '')).toEqual({ target: 'web/a', by: 'ana', why: 'kernel' });
    expect((await send('POST', '/v1/drains', { target: 'web/a', why: 'again' })).statusCode).toBe(409);
    expect((await send('POST', '/v1/drains', { target: 'web/a' })).json()).toMatchObject({
      error: { code: 'INVALID', message: expect.stringContaining('why') as string },
    });
    expect((await send('POST', '/v1/drains', 'x')).statusCode).toBe(400);
    expect((await send('DELETE', '/v1/drains/web.a')).statusCode).toBe(200);
    expect((await send('DELETE', '/v1/drains/web.a')).statusCode).toBe(404);
  });

  it('approves what this agent holds, once, and anything else only if forced', async () => {
    const other = `sha256:${'b'.repeat(64)}`;
    expect((await send('POST', '/v1/approvals', { revision: other })).statusCode).toBe(404);
    expect((await send('POST', '/v1/approvals', { revision: HELD, why: 'CHG-1' })).statusCode).toBe(201);
    expect(JSON.parse(store.text(`config/approvals/${'a'.repeat(64)}`) ?? '')).toEqual({ by: 'ana', why: 'CHG-1' });
    expect((await send('POST', '/v1/approvals', { revision: HELD })).statusCode).toBe(409);
    expect((await send('POST', '/v1/approvals', { revision: other, force: true, by: 'bob' })).statusCode).toBe(201);
    expect(JSON.parse(store.text(`config/approvals/${'b'.repeat(64)}`) ?? '')).toEqual({ by: 'bob', why: '' });
    expect((await send('POST', '/v1/approvals', { revision: 'latest' })).statusCode).toBe(422);
  });
});

describe('every route that writes', () => {
  const urls = WRITE_ROUTES.map(
    ({ method, path }) => [method, path.replace('*', 'vips/web').replace(':id', 'x')] as const,
  );

  it('is there', () => {
    expect(urls.length).toBeGreaterThanOrEqual(5);
  });

  it.each(urls)('%s %s takes nothing without credentials of operators in the bootstrap file', async (method, url) => {
    const readOnly = appWith(null);
    const reply = await readOnly.inject({ method, url, headers: AUTH });
    expect([reply.statusCode, reply.json()]).toMatchObject([403, { error: { code: 'FORBIDDEN' } }]);
    expect(reply.body).toContain('store.operatorAuth');
    await readOnly.close();
  });

  it.each(urls)('%s %s asks for credentials before it reads anything', async (method, url) => {
    const before = [...store.records];
    const headers = { 'content-type': 'application/json', host: AUTH.host };
    const reply = await app.inject({ method, url, headers, payload: 'x'.repeat(100) });
    expect([reply.statusCode, reply.headers['www-authenticate']]).toMatchObject([
      401,
      expect.stringContaining('Basic'),
    ]);
    const wrong = { ...headers, authorization: `Basic ${Buffer.from('ana:wrong').toString('base64')}` };
    expect((await app.inject({ method, url, headers: wrong })).statusCode).toBe(401);
    const page = { ...headers, ...AUTH, origin: 'http://127.0.0.1:8370' };
    expect((await app.inject({ method, url, headers: page })).statusCode).toBe(403);
    const rebound = { ...headers, ...AUTH, host: 'evil.example' };
    expect((await app.inject({ method, url, headers: rebound })).statusCode).toBe(403);
    const far = await app.inject({ method, url, headers: { ...headers, ...AUTH }, remoteAddress: '192.0.2.1' });
    expect(far.statusCode).toBe(403);
    readable = false;
    expect((await app.inject({ method, url, headers: { ...headers, ...AUTH } })).statusCode).toBe(403);
    expect([...store.records]).toEqual(before);
  });
});
