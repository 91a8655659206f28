import { expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import type { Verify } from '../../../src/api/route.ts';
import { buildApp } from '../../../src/api/server.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { err, ok } from '../../../src/core/result.ts';
import { statusView } from '../../fakes/status-view.ts';

const FOUND = {
  compared: true,
  differences: [{ kind: 'service-gone', found: 'service tcp 192.0.2.10:80 is gone' }],
  differenceCount: 1,
  operations: 4,
  failures: [],
  foreignServices: 2,
};

function appWith(verify?: Verify) {
  return buildApp({
    status: () => statusView(),
    ...(verify === undefined ? {} : { verify }),
    log: silentLog,
    metrics: new MetricsRegistry(),
    listen: null,
    version: '1.2.3',
  });
}

it('verifies when it is asked to by POST, and answers with what was found', async () => {
  let asked = 0;
  const app = appWith(() => {
    asked++;
    return Promise.resolve(ok(FOUND));
  });
  const reply = await app.inject({ method: 'POST', url: '/v1/verify' });
  expect([reply.statusCode, reply.json()]).toEqual([200, FOUND]);
  expect(asked).toBe(1);
});

it.each(['GET', 'PUT', 'DELETE'] as const)('does nothing for %s', async (method) => {
  const app = appWith(() => {
    throw new Error('it was asked');
  });
  const reply = await app.inject({ method, url: '/v1/verify?now' });
  expect(reply.statusCode).toBe(405);
  expect(reply.headers['allow']).toBe('POST');
});

it('says so when there is nothing to verify', async () => {
  const nothing = new CodedError('NOTHING_IN_FORCE', 'there is no configuration in force yet');
  for (const app of [appWith(() => Promise.resolve(err(nothing))), appWith()]) {
    const reply = await app.inject({ method: 'POST', url: '/v1/verify' });
    expect(reply.statusCode).toBe(503);
    expect(reply.json()).toMatchObject({ error: { code: 'UNAVAILABLE' } });
  }
});
