import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusView } from '../../src/model/status.ts';
import { eventually } from '../lab/eventually.ts';
import { freePort } from '../lab/free-port.ts';
import { LabProcess } from '../lab/process.ts';

/*
 * What users install: dist/, package.json and the packages that a production install brings. Everything else has to be
 * in the bundle, and its threads have to find their own files.
 */

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-installed-'));
const PROGRAM = join(folder, 'program/dist/cli/main.js');

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

const BGP_HEADER_BYTES = 19;

/** A package that cannot be loaded, lest one of that name be found in a folder above. */
const NOTHING_IN_IT = { version: '0.0.0', exports: {} };

function install(): void {
  const program = join(folder, 'program');
  cpSync(join(ROOT, 'dist'), join(program, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(program, 'package.json'));
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  for (const [path, { dev }] of Object.entries(packages)) {
    // A package inside another one comes with it; one for another processor is not there.
    const isTop = /^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(path);
    if (!isTop || !existsSync(join(ROOT, path))) continue;
    mkdirSync(dirname(join(program, path)), { recursive: true });
    if (dev === true) write(`program/${path}/package.json`, NOTHING_IN_IT);
    else symlinkSync(join(ROOT, path), join(program, path));
  }
}

async function vipkeeper(bootstrap: string, ...args: readonly string[]): Promise<{ code: number | null; log: string }> {
  // By its own first line, as the link to it in a PATH starts it.
  const child = await LabProcess.start(PROGRAM, [...args, '--bootstrap', bootstrap]);
  const { code } = await child.ended;
  return { code, log: child.log() };
}

function write(path: string, content: object): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(content));
  return file;
}

async function listening(server: Server, address: string): Promise<number> {
  await new Promise<void>((done) => server.listen(0, address, done));
  return (server.address() as AddressInfo).port;
}

describe('the program as it is installed', () => {
  let real: Server;
  let router: Server;
  const heard: Buffer[] = [];
  let agent: LabProcess;
  let api = '';
  let bootstrap = '';

  beforeAll(async () => {
    install();
    real = createServer((socket) => void socket.on('error', () => undefined).end());
    router = createServer(
      (socket) => void socket.on('error', () => undefined).on('data', (chunk) => heard.push(chunk)),
    );
    const port = await listening(real, '127.0.0.1');
    const peer = { address: '127.0.0.2', port: await listening(router, '127.0.0.2'), asn: 65_001 };
    const bgp = { asn: 65_000, routerId: '192.0.2.1', peers: { rack: peer } };
    write('store/config/agents/_default.json', { dataplane: 'memory', bgp });
    write('store/config/vips/web.json', { addresses: ['192.0.2.10'], advertise: { when: 'any' } });
    write('store/config/checks/tcp.json', { type: 'tcp', interval: '200ms', timeout: '100ms' });
    write('store/config/services/web.json', {
      vip: 'web',
      match: { ports: [String(port)], protocols: ['tcp'] },
      checks: ['tcp'],
    });
    write('store/config/services/web/reals/r1.json', { address: '127.0.0.1' });
    write('store/config/checks/znode.json', { type: 'zookeeper', servers: ['127.0.0.1:1'], path: '/web/{address}' });
    write('store/config/services/znode.json', { vip: 'web', match: { ports: ['1'] }, checks: ['znode'] });
    write('store/config/services/znode/reals/r1.json', { address: '127.0.0.1' });
    api = `127.0.0.1:${await freePort()}`;
    const store = { directory: { path: join(folder, 'store') } };
    const stateDir = join(folder, 'state');
    mkdirSync(stateDir);
    bootstrap = write('bootstrap.json', { agent: 'lb1', store, stateDir, api: { listen: api } });
    agent = await LabProcess.start(process.execPath, [PROGRAM, 'agent', '--bootstrap', bootstrap], { name: 'agent' });
    await agent.until('started', () => agent.log().includes('agent started'));
  });

  afterAll(async () => {
    await agent.stop();
    for (const server of [real, router]) server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function status(): Promise<StatusView> {
    const answer = await fetch(`http://${api}/v1/status`);
    return (await answer.json()) as StatusView;
  }

  it('checks reals, speaks BGP and answers over HTTP', async () => {
    await eventually('a verdict', async () => (await status()).services[0]?.reals[0]?.verdict === 'up');
    await eventually('a peer that was called', () => Buffer.concat(heard).length >= BGP_HEADER_BYTES);
    // Marker and type of an OPEN (RFC 4271 section 4.1).
    const open = Buffer.concat(heard);
    expect([open.subarray(0, 16), open[18]]).toEqual([Buffer.alloc(16, 0xff), 1]);
    expect((await status()).peers[0]).toMatchObject({ name: 'rack', address: '127.0.0.2' });
    const metrics = await (await fetch(`http://${api}/metrics`)).text();
    expect(metrics).toMatch(/^vipkeeper_[a-z_]+/m);
  });

  it('loads what a check by znode takes into the thread that has one', async () => {
    const cause = async () => (await status()).services.find(({ name }) => name === 'znode')?.reals[0]?.cause ?? '';
    await eventually('a probe', async () =>
      /^znode: not run: no (session with|answer from) ZooKeeper/.test(await cause()),
    );
  });

  it('knows its version, and shows operators what the agent says', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
    expect((await status()).version).toBe(version);
    const { code, log } = await vipkeeper(bootstrap, 'status');
    expect({ code, log }).toMatchObject({ code: 0 });
    expect(log).toContain('192.0.2.10');
  });

  it('finds the libraries that stay outside of it', async () => {
    const store = { etcd: { endpoints: ['http://127.0.0.1:1'] } };
    const other = write('other.json', { agent: 'lb1', store, stateDir: join(folder, 'state') });
    const { code, log } = await vipkeeper(other, 'get', 'config/vips/web');
    expect(code).not.toBe(0);
    expect(log).toContain('127.0.0.1:1');
  });

  it('passes on the terms of every library that is in it', () => {
    const notices = readFileSync(join(folder, 'program/dist/THIRD-PARTY-NOTICES.txt'), 'utf8');
    for (const name of ['fastify', 'pino', 'typebox', 'commander', 'ipaddr.js', 'prom-client']) {
      expect(notices).toMatch(new RegExp(`^${name.replace('.', '\\.')} \\d.*\\(.+\\)\\n\\n.+`, 'm'));
    }
  });
});
