import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import { ROUTES } from '../../../src/api/routes.ts';
import { WRITE_ROUTES } from '../../../src/api/write-routes.ts';
import { buildApp } from '../../../src/api/server.ts';
import { silentLog } from '../../../src/core/ports.ts';
import type { StatusView } from '../../../src/model/status.ts';
import { realView, serviceView, statusView } from '../../fakes/status-view.ts';

let app: FastifyInstance | undefined;

function appWith(status: () => StatusView): FastifyInstance {
  app = buildApp({ status, log: silentLog, metrics: new MetricsRegistry(), listen: null, version: '1.2.3' });
  return app;
}

afterEach(async () => {
  await app?.close();
});

describe('the routes', () => {
  it('say that the process is alive, whatever its state', async () => {
    const reply = await appWith(() => {
      throw new Error('the status must not be needed');
    }).inject('/healthz');
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({ alive: true });
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  it('answer 200 when ready, and 503 with the reasons when not', async () => {
    let status = statusView();
    const api = appWith(() => status);
    const ready = await api.inject('/readyz');
    expect([ready.statusCode, ready.json()]).toEqual([200, { ready: true, reasons: [] }]);
    status = statusView({ ready: false, notReady: ['the store is unreachable', 'the kernel refused 2 operations'] });
    const notReady = await api.inject('/readyz');
    expect(notReady.statusCode).toBe(503);
    expect(notReady.json()).toEqual({
      ready: false,
      reasons: ['the store is unreachable', 'the kernel refused 2 operations'],
    });
  });

  it('give the whole read model, every field of it', async () => {
    const reply = await appWith(() => statusView()).inject('/v1/status');
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toContain('application/json');
    expect(reply.json()).toEqual(statusView());
  });

  it('let others have their turn while they send ten thousand reals', async () => {
    const reals = Array.from({ length: 100 }, (_, index) => realView(`real-${index}`));
    const services = Array.from({ length: 100 }, (_, index) => serviceView(`web-${index}`, reals));
    const api = appWith(() => statusView({ services }));
    await api.ready();
    const answered: string[] = [];
    const ask = async (path: string) => {
      const reply = await api.inject(path);
      answered.push(path);
      return reply;
    };
    const [status] = await Promise.all([ask('/v1/status'), ask('/healthz')]);
    expect(answered).toEqual(['/healthz', '/v1/status']);
    expect(status.json()).toEqual(statusView({ services }));
  });

  it('look at the reals of a service once, and not before others had their turn', async () => {
    const events: string[] = [];
    const services = ['a', 'b'].map((name) => ({
      ...serviceView(name, []),
      get reals() {
        events.push(`reals of ${name}`);
        return [realView('r')];
      },
    }));
    const reply = await appWith(() => {
      events.push('status');
      setImmediate(() => events.push('the turn of others'));
      return { ...statusView(), services };
    }).inject('/v1/status');
    expect(events).toEqual(['status', 'the turn of others', 'reals of a', 'reals of b']);
    expect(reply.json()).toMatchObject({ services: [{ reals: [{ name: 'r' }] }, { reals: [{ name: 'r' }] }] });
  });

  it('never send a field that the schema does not name', async () => {
    const [service] = statusView().services;
    const leakyService = { ...service, name: 'web', password: 'a-secret' } as StatusView['services'][number];
    const leaky = { ...statusView({ services: [leakyService] }), operatorAuth: 'root:secret' };
    const reply = await appWith(() => leaky).inject('/v1/status');
    expect(reply.statusCode).toBe(200);
    expect(reply.body).not.toContain('secret');
  });

  it('list services in one line each, and give one with its reals', async () => {
    const api = appWith(() => statusView());
    const list = await api.inject('/v1/services');
    expect(list.json()).toEqual({
      services: [
        {
          name: 'web-https',
          vip: 'web',
          state: 'enabled',
          quorum: 'held',
          quorumCause: '1 of 2 reals up, 1 wanted',
          reals: { up: 1, down: 1, unknown: 0 },
        },
      ],
    });
    const one = await api.inject('/v1/services/web-https');
    expect(one.json()).toEqual(statusView().services[0]);
  });

  it('say which services there are when one is not', async () => {
    const reply = await appWith(() => statusView()).inject('/v1/services/nope');
    expect(reply.statusCode).toBe(404);
    expect(reply.json()).toEqual({
      error: { code: 'NOT_FOUND', message: 'there is no service "nope"; /v1/services lists those there are' },
    });
  });

  it('give problems with holds, and peers', async () => {
    const api = appWith(() => statusView());
    const { problems, holds, peers } = statusView();
    expect((await api.inject('/v1/problems')).json()).toEqual({ problems, holds });
    expect((await api.inject('/v1/peers')).json()).toEqual({ peers });
  });
});

describe('errors', () => {
  it('name the known routes for an unknown one', async () => {
    const reply = await appWith(() => statusView()).inject('/v1/nothing');
    expect(reply.statusCode).toBe(404);
    const { error } = reply.json<{ error: { code: string; message: string } }>();
    expect(error.code).toBe('NOT_FOUND');
    for (const path of ['/healthz', '/readyz', '/metrics', '/v1/status', '/v1/services/{name}', '/v1/openapi.json']) {
      expect(error.message).toContain(path);
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)(
    'refuse %s where there is only to read',
    async (method) => {
      const reply = await appWith(() => statusView()).inject({ method, url: '/v1/status' });
      expect(reply.statusCode).toBe(405);
      expect(reply.headers['allow']).toBe('GET, HEAD');
      expect(reply.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
    },
  );

  it('answer HEAD without a body', async () => {
    const reply = await appWith(() => statusView()).inject({ method: 'HEAD', url: '/v1/status' });
    expect([reply.statusCode, reply.body]).toEqual([200, '']);
  });

  it('keep the shape for a path that cannot be decoded', async () => {
    const reply = await appWith(() => statusView()).inject('/v1/services/%zz');
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toMatchObject({ error: { code: 'BAD_REQUEST' } });
  });

  it('tell a defect from a bad request, without details of the defect', async () => {
    const reply = await appWith(() => {
      throw new Error('password is hunter2');
    }).inject('/v1/status');
    expect(reply.statusCode).toBe(500);
    expect(reply.json()).toMatchObject({ error: { code: 'INTERNAL' } });
    expect(reply.body).not.toContain('hunter2');
  });

  it('keep the shape when the read model breaks its own schema', async () => {
    const broken: unknown = { ...statusView(), services: undefined };
    const reply = await appWith(() => broken as StatusView).inject('/v1/status');
    expect(reply.statusCode).toBe(500);
    expect(reply.json()).toMatchObject({ error: { code: 'INTERNAL' } });
  });
});

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, { get: { responses: Record<string, unknown>; parameters?: unknown[] } }>;
  readonly components: { schemas: Record<string, Record<string, unknown>> };
}

describe('the OpenAPI document', () => {
  it('covers every route and resolves every reference', async () => {
    const document = (await appWith(() => statusView()).inject('/v1/openapi.json')).json<Document>();
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
    expect(operations).toHaveLength(ROUTES.length + WRITE_ROUTES.length);
    expect(document.paths['/v1/config/{path}']).toMatchObject({
      put: { parameters: [{ name: 'path' }, { name: 'If-Match' }, {}], security: [{ operator: [] }], requestBody: {} },
      delete: { security: [{ operator: [] }] },
    });
    expect(document.paths['/v1/services/{name}']?.get.parameters).toHaveLength(1);
    expect(document.paths['/readyz']?.get.responses).toHaveProperty('503');
    const references = Array.from(
      JSON.stringify(document).matchAll(/"#\/components\/schemas\/([A-Za-z]+)"/g),
      ([, n]) => n,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name ?? '');
  });

  it('shows nested views by reference and nullable fields as a type list', async () => {
    const { components } = (await appWith(() => statusView()).inject('/v1/openapi.json')).json<Document>();
    const { StatusView: status, RealView: real } = components.schemas;
    expect(status?.['properties']).toMatchObject({
      services: { type: 'array', items: { $ref: '#/components/schemas/ServiceView' } },
    });
    expect(real?.['properties']).toMatchObject({ latencyMs: { type: ['number', 'null'] } });
    expect(JSON.stringify(components)).not.toContain('~kind');
  });
});
