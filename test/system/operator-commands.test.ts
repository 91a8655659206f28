import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadBootstrap } from '../../src/agent/bootstrap-file.ts';
import { storeSettings } from '../../src/agent/store-settings.ts';
import { wireAgent } from '../../src/agent/wire.ts';
import type { WiredAgent } from '../../src/agent/wire.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { openStoreClient } from '../../src/sources/open-source.ts';
import { tempDir } from '../fakes/temp-dir.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { freePort } from '../lab/free-port.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';
import { harness } from '../unit/cli/cli-harness.ts';
import type { Outcome } from '../unit/cli/cli-harness.ts';

/*
 * The whole cycle of a change, with a real store and a whole agent: export, edit, lint, plan, apply, watch, approve.
 */

const DEPS = { clock: systemClock, random: Math.random, log: silentLog };
const OPERATOR = 'ana:secret';

interface Site {
  readonly folder: string;
  /** Runs `vipkeeper ARGS` through a proxy to the store. */
  readonly run: (...args: readonly string[]) => Promise<Outcome>;
  readonly watch: () => { readonly said: () => string; readonly end: () => Promise<Outcome> };
  readonly proxy: ChaosProxy;
  readonly api: string;
  readonly status: () => Promise<{ configuration: { acceptedRevision: string | null }; holds: unknown[] }>;
}

const closing: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A store with the records of `FILES`, an agent on it, and a command line beside it. */
async function site(address: string, storeAt: (address: string) => object): Promise<Site> {
  const folder = tempDir();
  const proxy = await ChaosProxy.start(address);
  closing.push(() => proxy.close());
  const listen = `127.0.0.1:${await freePort()}`;
  const bootstrapFile = (name: string, at: string): string => {
    const content = { agent: 'lb1', store: storeAt(at), stateDir: join(folder, 'state'), api: { listen } };
    writeFileSync(join(folder, name), JSON.stringify(content));
    return join(folder, name);
  };
  mkdirSync(join(folder, 'state'));
  const forAgent = bootstrapFile('agent.json', address);
  const env = { VIPKEEPER_BOOTSTRAP: bootstrapFile('operator.json', proxy.address), USER: 'ana' };
  process.env['VIPKEEPER_TEST_OPERATOR'] = OPERATOR;
  const cli = (interrupted: Promise<void>) =>
    harness(
      {
        loadBootstrap,
        openStore: (loaded) => openStoreClient(storeSettings(loaded, 'operator'), DEPS),
        interrupted: () => interrupted,
      },
      env,
    );
  const { run } = cli(Promise.resolve());
  for (const [file, content] of Object.entries(FILES)) put(folder, file, content);
  const first = await run('apply', join(folder, 'records'));
  expect(first.err).toBe('');
  const bootstrap = loadBootstrap(forAgent);
  if (!bootstrap.ok) throw new Error(JSON.stringify(bootstrap.error));
  const wired = await wireAgent(bootstrap.value, silentLog);
  if (!wired.ok) throw wired.error;
  startAgent(wired.value);
  const api = `http://${listen}`;
  return {
    folder,
    run,
    proxy,
    api,
    status: async () => (await (await fetch(`${api}/v1/status`)).json()) as Awaited<ReturnType<Site['status']>>,
    watch() {
      let interrupt: () => void = () => undefined;
      let said = '';
      const watching = cli(new Promise((resolve) => (interrupt = resolve)));
      const outcome = watching.listen((text) => (said += text), 'watch');
      return {
        said: () => said,
        end: () => {
          interrupt();
          return outcome;
        },
      };
    },
  };
}

function startAgent({ agent, api }: WiredAgent): void {
  agent.start();
  closing.push(async () => {
    await api.stop();
    await agent.stop({ kind: 'stop', flush: false });
  });
}

function put(folder: string, file: string, content: unknown): void {
  const path = join(folder, 'records/config', `${file}.json`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(content));
}

const REALS = ['a', 'b', 'c', 'd', 'e', 'f'];
const FILES: Readonly<Record<string, unknown>> = {
  'agents/_default': { dataplane: 'memory' },
  'vips/web': { addresses: ['203.0.113.10'], interface: null },
  'services/web': { vip: 'web', match: { ports: ['80'] } },
  ...Object.fromEntries(REALS.map((name, at) => [`services/web/reals/${name}`, { address: `10.0.0.${at + 1}` }])),
};

async function cycle({ folder, run, watch, proxy, status }: Site): Promise<void> {
  const records = join(folder, 'records');
  const exported = join(folder, 'exported');
  expect(await run('export', '--pretty', exported)).toMatchObject({ exitCode: 0, err: '' });
  expect(await run('lint', '--strict', exported)).toMatchObject({ exitCode: 0 });
  expect((await run('apply', '--prune', exported)).out).toContain('nothing to write');
  // What the agent has accepted is on its disk a moment later.
  await eventually('the agent has taken everything over', async () => {
    const { exitCode, out } = await run('plan', exported);
    return exitCode === 0 && out.includes('compared with what it has accepted');
  });

  const watcher = watch();
  await eventually('it watches', () => watcher.said().includes('watching 9 records'));
  const lost = ['a', 'b', 'c', 'd'];
  for (const name of lost) rmSync(join(records, `config/services/web/reals/${name}.json`));
  put(folder, 'services/web', { vip: 'web', match: { ports: ['80', '443'] } });
  expect(await run('lint', records)).toMatchObject({ exitCode: 0 });
  const planned = await run('plan', '--prune', records);
  expect(planned.exitCode).toBe(8);
  expect(planned.out).toContain('kernel services 1 → 2');
  expect(planned.out).toContain('HELD by the guard: 4 of 6 reals would be lost');
  const [, before = '', after = ''] = /(sha256:[0-9a-f]{64}) → (sha256:[0-9a-f]{64})/.exec(planned.out) ?? [];
  const applied = await run('apply', '--prune', '--expect', before, records);
  expect(applied).toMatchObject({ exitCode: 0, err: '' });
  expect(applied.out).toContain(`the store is at ${after}`);
  await eventually('the watch has told all of it', () => {
    const deleted = lost.every((name) => watcher.said().includes(`- config/services/web/reals/${name}\n`));
    return deleted && watcher.said().includes('match.ports: ["80"] → ["80","443"]');
  });

  await eventually('the agent holds exactly what was foretold', async () => {
    return (await run('approve')).out.includes(`HELD ${after}\n  by lb1 for `);
  });
  expect(await run('approve', 'f'.repeat(64))).toMatchObject({ exitCode: 1 });
  expect(await run('approve', after.slice(0, 19), '--why', 'CHG-1')).toMatchObject({ exitCode: 0 });
  await eventually('it is in force', async () => {
    const { configuration, holds } = await status();
    return configuration.acceptedRevision === after && holds.length === 0;
  });
  await eventually('nothing is held', async () => (await run('approve')).out === 'nothing is held\n');

  proxy.deaf(true);
  proxy.cut();
  await eventually('the loss is told', () => watcher.said().includes('the store is lost'));
  proxy.deaf(false);
  await eventually('the store is back', () => watcher.said().includes('the store is there again'));
  expect(await run('drain', 'web/e', '--why', 'kernel', '--for', '2h')).toMatchObject({ exitCode: 0 });
  await eventually('what comes later is told', () => watcher.said().includes('+ config/drains/web.e'));
  expect(await run('undrain', 'web/e')).toMatchObject({ exitCode: 0 });
  expect(await watcher.end()).toMatchObject({ exitCode: 0 });
}

function manyVips(folder: string): void {
  for (let at = 0; at < 150; at++) put(folder, `vips/many-${at}`, { addresses: [`198.51.100.${at + 1}`] });
}

describe('the operators’ commands', () => {
  test('change what a ZooKeeper holds, and so does the API', async () => {
    const ensemble = await ZookeeperEnsemble.start({ tickMs: 250 });
    closing.push(() => ensemble.close());
    const operatorAuth = 'env:VIPKEEPER_TEST_OPERATOR';
    const zookeeper = (at: string) => ({ zookeeper: { servers: [at], sessionTimeout: '2s' }, operatorAuth });
    const made = await site(ensemble.member(0).address, zookeeper);
    await cycle(made);
    manyVips(made.folder);
    const { exitCode, out } = await made.run('apply', join(made.folder, 'records'));
    expect([exitCode, out.split('\n').at(-2)]).toEqual([0, expect.stringContaining('150 records added, 0 edited')]);

    const basic = `Basic ${Buffer.from(OPERATOR).toString('base64')}`;
    const headers = { authorization: basic, 'content-type': 'application/json' };
    const real = { method: 'PUT', body: '{ "address": "10.0.0.99" }' };
    const url = `${made.api}/v1/config/services/web/reals/api`;
    expect((await fetch(url, { ...real, headers: { 'content-type': 'application/json' } })).status).toBe(401);
    expect((await fetch(url, { ...real, headers })).status).toBe(201);
    expect((await made.run('get', 'config/services/web/reals/api')).out).toBe('{ "address": "10.0.0.99" }\n');
    const { modified } = JSON.parse((await made.run('get', '--json', 'config/services/web/reals/api')).out) as {
      modified: string;
    };
    expect((await fetch(url, { method: 'DELETE', headers: { ...headers, 'if-match': '"1"' } })).status).toBe(409);
    const gone = await fetch(url, { method: 'DELETE', headers: { authorization: basic, 'if-match': `"${modified}"` } });
    expect(gone.status).toBe(200);
  });

  test('change what an etcd holds, in several transactions if they may', async () => {
    const cluster = await EtcdCluster.start();
    closing.push(() => cluster.close());
    const made = await site(new URL(cluster.member(0).endpoint).host, (at) => ({
      etcd: { endpoints: [`http://${at}`], leaseTtl: '2s' },
    }));
    await cycle(made);
    manyVips(made.folder);
    const records = join(made.folder, 'records');
    const refused = await made.run('apply', records);
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toMatch(
      /150 changes do not fit one transaction of this store; nothing was written.* in 2 transactions/,
    );
    expect((await made.run('ls', '-r', 'config/vips')).out).not.toContain('many-');
    expect(await made.run('apply', '--yes', records)).toMatchObject({ exitCode: 0, err: '' });
    expect((await made.run('apply', records)).out).toContain('nothing to write');
  });
});
