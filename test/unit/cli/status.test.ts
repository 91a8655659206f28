import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Api } from '../../../src/api/server.ts';
import { createApi } from '../../../src/api/server.ts';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import { statusPage } from '../../../src/cli/status-page.ts';
import { silentLog } from '../../../src/core/ports.ts';
import type { RealView, StatusView } from '../../../src/model/status.ts';
import { freePort } from '../../lab/free-port.ts';
import { realView, serviceView, statusView } from '../../fakes/status-view.ts';
import { harness } from './cli-harness.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function startApi(status: StatusView): Promise<string> {
  const api: Api = createApi({
    status: () => status,
    log: silentLog,
    metrics: new MetricsRegistry(),
    listen: { host: '127.0.0.1', port: 0 },
    version: '1.2.3',
  });
  closers.push(() => api.stop());
  return (await api.start()).address ?? '';
}

async function startServer(body: string, code = 200): Promise<string> {
  const port = await freePort();
  const server: Server = createServer((_request, reply) => void reply.writeHead(code).end(body));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${port}`;
}

describe('the status page', () => {
  it('shows the agent, its store, its configuration and everything below', () => {
    expect(statusPage(statusView())).toBe(`agent   lb1, vipkeeper 1.2.3, pid 4242, up for 1h 2m
ready   yes
store   zookeeper: connected to zk1:2181 for 1h 2m, session 0x100000000000001
config  sha256:aaaaaaaaaaaa from the store, confirmed by the store 1s ago (zxid 0x100000012)
kernel  ipvs: 2 services, 4 destinations of ours; 1 service of others; 17 operations, 1 repair
        14 connections in a table of 4096 buckets, counted 1s ago

PROBLEMS (1)
  config/services/mail: match.ports[0]: found "smtp", allowed a port or a range (last good version stays)

HELD for 1m 3s: 40 of 100 services lost within 10m
  would take away: mail, dns
  to let it pass: vipkeeper approve sha256:${'b'.repeat(64)} --why REASON
  or mend the store, so that nothing is lost

DRAINS (1)
  chg-1: web-https/b by ana: kernel upgrade
    0 of 1 real out; 3 active, 1 inactive, 2 persistent left, for 2m 57s at most

VIP  ADDRESSES                   INTERFACE  ADVERTISED  WHY
web  203.0.113.10, 2001:db8::10  lo         yes         web-https holds its quorum

SERVICE web-https on web, wlc: quorum held (1 of 2 reals up, 1 wanted)
  REAL  TARGET          STATE    VERDICT    FOR   WEIGHT  ACTIVE  INACT  PERS  WHY
  a     10.0.0.11:8443  enabled  up       1h 2m       10       4      2     1  https-ok: 200 in 3 ms
  b     10.0.0.12:8443  enabled  down     1h 2m  0 of 10       4      2     1  https-ok: status 503, wanted 200-299

PEER  ADDRESS      AS  STATE          FOR  ANNOUNCED  FLAPS  LAST ERROR
tor1  10.1.0.1  65000  established  1h 1m          2      3  -

CHANGED BY SOMEBODY ELSE, AND CHANGED BACK (1)
  33s ago: service tcp 203.0.113.10:443 is gone

DECIDED LATELY
  1m 3s ago: real web/b is down (https-ok: connection refused)
  3s ago: VIP web is announced (service web holds its quorum)
`);
  });

  it('says why an agent is not ready, where its configuration is from, and what is held', () => {
    const { configuration, store } = statusView();
    const page = statusPage(
      statusView({
        ready: false,
        notReady: ['the store is unreachable for 40 s', 'the kernel refused 1 operation'],
        store: {
          ...store,
          state: 'connecting',
          server: null,
          session: null,
          publishing: 'no session',
          lastError: 'ECONNREFUSED',
        },
        configuration: { ...configuration, origin: 'last-known-good', seenRevision: `sha256:${'b'.repeat(64)}` },
        kernel: { ...statusView().kernel, failures: ['add service tcp 203.0.113.10:443: EPERM'] },
      }),
    );
    expect(page).toContain('ready   NO\n        because the store is unreachable for 40 s\n        because the kernel');
    expect(page).toContain(
      'store   zookeeper: connecting for 1h 2m; last error: ECONNREFUSED\n        health is not published: no session',
    );
    expect(page).toContain('from the last-known-good file');
    expect(page).toContain('the store has sha256:bbbbbbbbbbbb: held by the guard, see below');
    expect(page).toContain('REFUSED BY THE KERNEL\n  add service tcp 203.0.113.10:443: EPERM');
  });

  it('shows an agent that knows nothing yet', () => {
    const { configuration } = statusView();
    const nothing = { ...configuration, acceptedRevision: null, seenRevision: null, position: null, ageSeconds: null };
    const empty = { problems: [], holds: [], drains: [], vips: [], services: [], peers: [], history: [] };
    const kernel = { ...statusView().kernel, repairs: [] };
    const page = statusPage(statusView({ ...empty, kernel, configuration: nothing }));
    expect(page.split('\n')).toHaveLength(7);
    expect(page).toContain('config  none yet');
  });

  it('never lets a real or a record write to the terminal', () => {
    const cause = 'status 200 \u001b]0;pwned\u0007\u001b[2J\r\nready   yes\u009b31m';
    const page = statusPage(statusView({ services: [serviceView('web', [realView('a', { cause })])] }));
    expect(page).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(page).not.toContain('\nready   yes\uFFFD');
  });

  it('gives the reason for a weight where the cause of the verdict is not all', () => {
    const reals = [
      realView('r10', { reason: 'up: https-ok: 200 in 3 ms' }),
      realView('r2', { state: 'drain', weight: 0, reason: 'drained by chg-1' }),
      realView('r1', { reason: 'last known up; now unknown: https-ok: 200 in 3 ms' }),
    ];
    const lines = statusPage(statusView({ services: [serviceView('web', reals)] })).split('\n');
    const shown = lines.filter((line) => /^ {2}r[0-9]/.test(line)).map((line) => line.replace(/^.* 2 {5}1 {2}/, ''));
    expect(shown).toEqual([
      'last known up; now unknown: https-ok: 200 in 3 ms',
      'https-ok: 200 in 3 ms; drained by chg-1',
      'https-ok: 200 in 3 ms',
    ]);
  });

  it('says how far a drain is, of a record and of a real', () => {
    const left = {
      since: '2026-01-01T01:00:00.000Z',
      connections: { active: 3, inactive: 0, persistent: 7 },
      deadline: '2026-01-01T01:07:03.000Z',
      done: false,
    };
    const drained = (name: string, drain: RealView['drain']) =>
      realView(name, { state: 'drain', weight: 0, reason: 'drained by ana', drain });
    const wish = { name: 'chg', target: 'web', by: 'ana', why: 'kernel', until: '2026-01-01T01:00:00.000Z' };
    const progress = { ...left, reals: 3, realsDone: 2 };
    const done = { ...left, deadline: null, done: true };
    const page = statusPage(
      statusView({
        services: [
          serviceView('web', [drained('a', left), drained('b', done), drained('c', { ...left, deadline: null })]),
        ],
        drains: [
          { ...wish, inForce: true, progress },
          { ...wish, name: 'old', inForce: false, progress: null },
          { ...wish, name: 'far', target: 'agent:lb9', until: null, inForce: true, progress: null },
        ],
      }),
    );
    expect(page).toContain('drained by ana: 3 active, 0 inactive, 7 persistent left, for 5m 0s at most\n');
    expect(page).toContain('drained by ana: done\n');
    expect(page).toContain('drained by ana: 3 active, 0 inactive, 7 persistent left\n');
    expect(page).toContain(
      [
        'DRAINS (3)',
        '  chg: web by ana until 2026-01-01T01:00:00.000Z: kernel',
        '    2 of 3 reals out; 3 active, 0 inactive, 7 persistent left, for 5m 0s at most',
        '  old: web by ana, over since 2026-01-01T01:00:00.000Z: kernel',
        '    not in force',
        '  far: agent:lb9 by ana: kernel',
        '    concerns nothing on this agent',
      ].join('\n'),
    );
  });

  it('marks what is kept although it fails, and what is unusual about a service', () => {
    const real = realView('a', { verdict: 'down', kept: true });
    const service = serviceView('web', [real], { state: 'drain', quorum: 'lost', quorumCause: 'none up', sorry: true });
    const page = statusPage(statusView({ services: [service, serviceView('empty', [])] }));
    expect(page).toContain('SERVICE web on web, wlc, drain: quorum lost (none up), the sorry server takes the traffic');
    expect(page).toContain('down, kept');
    expect(page).toContain('  no reals\n');
  });
});

describe('status', () => {
  it('asks the agent and shows the page, or the model itself', async () => {
    const url = await startApi(statusView());
    const page = await harness().run('status', '--api', url);
    expect(page).toEqual({ exitCode: 0, out: statusPage(statusView()), err: '' });
    const json = await harness().run('status', '--json', '--api', url);
    expect(JSON.parse(json.out)).toEqual(statusView());
  });

  it('finds the agent by the bootstrap file', async () => {
    const { port } = new URL(await startApi(statusView()));
    const base = { agent: 'lb1', store: { directory: { path: '/nowhere' } }, root: '/vipkeeper', stateDir: '/nowhere' };
    const settings = { ...base, log: { level: 'info' as const }, checkWorkers: 1 };
    const load = (listen: string | null) => () => ({ ok: true as const, value: { ...settings, api: { listen } } });
    expect(await harness({ loadBootstrap: load(`0.0.0.0:${port}`) }).run('status')).toMatchObject({ exitCode: 0 });
    const off = await harness({ loadBootstrap: load(null) }).run('status');
    expect(off.exitCode).toBe(1);
    expect(off.err).toContain('the API is off');
  });

  it('says that no agent answers', async () => {
    const outcome = await harness().run('status', '--api', `http://127.0.0.1:${await freePort()}`);
    expect(outcome.exitCode).toBe(1);
    expect(outcome.err).toMatch(/^vipkeeper: no agent answers at http:\/\/127\.0\.0\.1:[0-9]+: .*ECONNREFUSED/);
  });

  it.each([
    ['<html>', 200, 'does not answer with JSON'],
    ['{"hello": 1}', 200, 'does not answer with what this version understands'],
    ['{"error":{"code":"INTERNAL","message":"oh"}}', 500, 'answers 500'],
  ])('does not take %s with %d for a status', async (body, code, message) => {
    const outcome = await harness().run('status', '--api', await startServer(body, code));
    expect(outcome.exitCode).toBe(1);
    expect(outcome.err).toContain(message);
  });

  it('refuses an address that is not one', async () => {
    for (const text of ['not a url', 'file:///etc/passwd']) {
      expect(await harness().run('status', '--api', text)).toMatchObject({ exitCode: 2 });
    }
  });
});
