import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Publisher } from '../../src/agent/publisher.ts';
import type { HealthContent } from '../../src/agent/policy/health-records.ts';
import type { AgentContent } from '../../src/agent/publisher.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { Source } from '../../src/sources/source.ts';
import { openSource } from '../../src/sources/open-source.ts';
import type { StoreSettings } from '../../src/sources/open-source.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { requireParts } from '../lab/parts.ts';
import type { Parts } from '../lab/parts.ts';
import { Cleanups, ROOT, openClient, orThrow } from '../lab/zookeeper-kit.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';

// The examples of docs/reading-health.md, run as they stand there, with the servers of the test in place of theirs.
const PAGE = readFileSync(join(import.meta.dirname, '../../docs/reading-health.md'), 'utf8');
const cleanups = new Cleanups();
const publishers: Publisher[] = [];
let zookeeper: ZookeeperEnsemble;
let etcd: EtcdCluster;
let parts: Parts;

beforeAll(async () => {
  parts = await requireParts(['zookeeper', 'zkcli', 'kazoo', 'etcd', 'etcdctl']);
  zookeeper = cleanups.add(await ZookeeperEnsemble.start());
  etcd = cleanups.add(await EtcdCluster.start());
  const client = cleanups.add(openClient(zookeeper.servers));
  orThrow(await client.write([{ kind: 'put', path: 'config/vips/web', bytes: Buffer.from('{}') }]));
  for (const agent of ['lb1', 'lb2']) {
    await publishTo({ kind: 'zookeeper', servers: zookeeper.servers, root: ROOT }, agent);
    await publishTo({ kind: 'etcd', endpoints: etcd.endpoints, root: ROOT, leaseTtlMs: 10_000 }, agent);
  }
});
afterAll(async () => {
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await cleanups.run();
});

/** Both agents find real b down; lb2 finds c down as well. */
async function publishTo(settings: StoreSettings, agent: string): Promise<void> {
  const source: Source = cleanups.add(
    orThrow(await openSource(settings, { clock: systemClock, random: Math.random, log: silentLog })),
  );
  const real = (verdict: 'up' | 'down') =>
    ({
      target: '10.0.0.1:80',
      verdict,
      since: '2026-01-01T00:00:00Z',
      cause: 'a test',
      weight: 1,
      state: 'enabled',
    }) as const;
  const reals = { a: real('up'), b: real('down'), c: real(agent === 'lb2' ? 'down' : 'up') };
  const health: HealthContent = { v: 1, agent, quorum: 'held', advertised: true, reals };
  const publisher = new Publisher(
    { agent, sessionTimeoutMs: 10_000 },
    {
      source,
      publication: () => ({ agent: aboutAgent(agent), health: new Map([['web', health]]) }),
      clock: systemClock,
      log: silentLog,
    },
  );
  publishers.push(publisher);
  source.start();
  await eventually('published', () => publisher.state().kind === 'ok');
}

function aboutAgent(agent: string): AgentContent {
  const nothing = { notReady: [], problems: [], problemCount: 0, holds: [], drains: {}, peers: {} };
  const revisions = { seenRevision: '', acceptedRevision: '', position: '' };
  return { v: 1, agent, version: '0', startedAt: '2026-01-01T00:00:00Z', ready: true, ...revisions, ...nothing };
}

/** The code blocks of one language under one heading. */
function example(heading: string, language: string): string {
  const section = PAGE.split(/^## /m).find((each) => each.startsWith(heading)) ?? '';
  const block = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(section)?.[1];
  if (block === undefined) throw new Error(`no ${language} under "${heading}"`);
  return block
    .replaceAll('zk1:2181', zookeeper.servers.join(','))
    .replaceAll('http://etcd1:2379', etcd.endpoints.join(','));
}

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: parts.env, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program}: ${error.message}\n${stdout}\n${stderr}`));
    });
  });
}

const downRecord = /\{"v":1,"agent":"lb1",.*"b":\{"target":"10\.0\.0\.1:80","verdict":"down".*"validUntil":/;

test('zkCli lists the agents and reads one record', async () => {
  const output = await run('/bin/sh', ['-e', '-c', example('With zkCli', 'sh')]);
  expect(output).toContain('[lb1, lb2]');
  expect(output).toMatch(downRecord);
});

test('etcdctl lists the records and reads one', async () => {
  const output = await run('/bin/sh', ['-e', '-c', example('With etcdctl', 'sh')]);
  expect(output).toContain('/vipkeeper/state/health/web/lb2');
  expect(output).toMatch(downRecord);
});

test('a program in Python tells what every agent takes for down', async () => {
  expect(await run(parts.binary('python3'), ['-c', example('In Python', 'python')])).toBe('b is down on lb1, lb2\n');
});
