import { describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import { buildApp } from '../../../src/api/server.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { statusView } from '../../fakes/status-view.ts';

function recordedApp() {
  const events: string[] = [];
  const app = buildApp({
    status: () => {
      events.push('status');
      return statusView();
    },
    freshen: async () => {
      events.push('freshen');
      await Promise.resolve();
      events.push('fresh');
      setImmediate(() => events.push('the turn of others'));
    },
    log: silentLog,
    metrics: new MetricsRegistry(),
    listen: null,
    version: '1.2.3',
  });
  return { app, events };
}

describe('counters', () => {
  it.each(['/metrics', '/v1/status', '/v1/services/web-https'])('are fresh before %s shows them', async (url) => {
    const { app, events } = recordedApp();
    expect((await app.inject({ method: 'GET', url })).statusCode).toBe(200);
    expect(events).toEqual(['freshen', 'fresh', 'the turn of others', 'status']);
  });

  it.each(['/healthz', '/readyz', '/v1/services', '/v1/problems', '/v1/peers'])(
    'are not read for %s, which shows none',
    async (url) => {
      const { app, events } = recordedApp();
      expect((await app.inject({ method: 'GET', url })).statusCode).toBe(200);
      expect(events).not.toContain('freshen');
    },
  );
});
