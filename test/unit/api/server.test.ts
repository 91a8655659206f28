import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Api } from '../../../src/api/server.ts';
import { createApi } from '../../../src/api/server.ts';
import { isLoopbackOnly, parseListen, urlOf } from '../../../src/api/listen.ts';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import type { Clock } from '../../../src/core/ports.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { statusView } from '../../fakes/status-view.ts';

const running: Api[] = [];

async function startApi(port = 0, clock: Clock = systemClock): Promise<string> {
  const api = createApi({
    clock,
    status: () => statusView(),
    log: silentLog,
    metrics: new MetricsRegistry(),
    listen: { host: '127.0.0.1', port },
    version: '1.2.3',
  });
  running.push(api);
  const { address } = await api.start();
  return address ?? 'nowhere';
}

/** Sends bytes, and gives back everything the server says until it closes. */
function exchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => (answer += String(text)));
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

afterEach(async () => {
  for (const api of running.splice(0)) await api.stop();
});

describe('a listening API', () => {
  it('answers over HTTP and counts it', async () => {
    const url = await startApi();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[0-9]+$/);
    const status = await fetch(`${url}/v1/status`);
    expect(await status.json()).toEqual(statusView());
    const missing = await fetch(`${url}/some/guess`);
    expect(missing.status).toBe(404);
    const scrape = await fetch(`${url}/metrics`);
    expect(scrape.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await scrape.text();
    expect(text).toContain('vipkeeper_api_requests_total{route="/v1/status",code="200"} 1');
    expect(text).toContain('vipkeeper_api_requests_total{route="unknown",code="404"} 1');
  });

  it('says which address it could not have', async () => {
    const { port } = new URL(await startApi());
    await expect(startApi(Number(port))).rejects.toMatchObject({
      code: 'API_LISTEN',
      message: `the API cannot listen on 127.0.0.1 port ${port}`,
    });
  });

  it('is off where there is nothing to listen on', async () => {
    const api = createApi({
      status: () => statusView(),
      log: silentLog,
      metrics: new MetricsRegistry(),
      listen: null,
      version: '1.2.3',
    });
    expect(await api.start()).toEqual({ address: null });
    await api.stop();
  });

  it('refuses what is not HTTP, in the shape of every error', async () => {
    const answer = await exchange(await startApi(), 'SSH-2.0-OpenSSH_9.2\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain('{"error":{"code":"BAD_REQUEST","message":"this is not an HTTP request"}}');
  });

  it('refuses a body that no request to read can have', async () => {
    const body = JSON.stringify({ padding: 'x'.repeat(2_000) });
    const reply = await fetch(`${await startApi()}/v1/status`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(reply.status).toBe(413);
    expect(await reply.json()).toMatchObject({ error: { code: 'REQUEST_TOO_LARGE' } });
  });

  it('stops although a client keeps its connection open', async () => {
    // By this clock no connection is ever given up, so the stop must not wait for one.
    const url = await startApi(0, new ManualClock());
    const agent = new Agent({ keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      get(`${url}/healthz`, { agent }, (reply) => reply.resume().on('end', resolve)).on('error', reject);
    });
    await running.pop()?.stop();
    agent.destroy();
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('stops although a client never finishes its request', async () => {
    const url = await startApi();
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    const closed = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
    await new Promise<void>((resolve) =>
      socket.on('connect', () => socket.write('GET /v1/status HTT', () => resolve())),
    );
    await running.pop()?.stop();
    await closed;
  });
});

describe('the address to listen on', () => {
  it.each([
    ['127.0.0.1:8370', true],
    ['127.8.9.10:8370', true],
    ['[::1]:8370', true],
    ['localhost', true],
    ['0.0.0.0:8370', false],
    ['[::]:8370', false],
    ['192.0.2.1:8370', false],
    ['lb1.example.net:8370', false],
  ])('%s is for this machine only: %s', (text, only) => {
    expect(isLoopbackOnly(parseListen(text))).toBe(only);
  });

  it.each([
    ['127.0.0.1:8370', '127.0.0.1', 8370, 'http://127.0.0.1:8370'],
    ['[::1]:9000', '::1', 9000, 'http://[::1]:9000'],
    ['localhost', 'localhost', 8370, 'http://localhost:8370'],
    ['0.0.0.0:80', '0.0.0.0', 80, 'http://127.0.0.1:80'],
    ['[::]:80', '::', 80, 'http://[::1]:80'],
  ])('%s', (text, host, port, url) => {
    expect(parseListen(text)).toEqual({ host, port });
    expect(urlOf({ host, port })).toBe(url);
    expect(urlOf({ host, port }, 'https')).toBe(url.replace('http:', 'https:'));
  });
});
