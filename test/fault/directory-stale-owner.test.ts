import { execFileSync } from 'node:child_process';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/system-clock.ts';
import { DirectoryStoreClient } from '../../src/sources/directory/client.ts';
import type { DirectorySource } from '../../src/sources/directory/source.ts';
import { eventually } from '../lab/eventually.ts';
import { LabProcess } from '../lab/process.ts';
import { session, value } from '../system/contract-store.ts';
import { StoreFolder } from './directory-fixture.ts';

const TIMEOUT_MS = 1_200;
const path = 'state/health/web/lb1';
let store: StoreFolder;
let agent: LabProcess;
let owner: string;
const sources: DirectorySource[] = [];

beforeEach(async () => {
  store = await StoreFolder.make({ 'config/vips/web': '{}' });
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const script = join(import.meta.dirname, 'directory-agent.ts');
  const args = ['--import', loader, script, store.path, String(TIMEOUT_MS), '{"from":"the other"}'];
  agent = await LabProcess.start(process.execPath, args, { name: 'agent' });
  await agent.until('it has published', async () => (await record()) === '{"from":"the other"}');
  owner = (await value(store.source().owner(path)))?.session ?? 'nobody';
});
afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.close({ keepEphemeral: false })));
  await agent.stop();
  await store.remove();
});

function record(): Promise<string | null> {
  return readFile(store.file(path), 'utf8').catch(() => null);
}

async function opened(adopt: readonly string[] = []): Promise<DirectorySource> {
  const source = store.source({ sessionTimeoutMs: TIMEOUT_MS });
  sources.push(source);
  source.adoptSessions(adopt);
  source.start();
  await eventually('a session', () => source.state().kind === 'connected');
  return source;
}

const mine = new Map([[path, Buffer.from('{"from":"me"}')]]);

test('the record of a killed agent is left alone for its time-out, then swept, and free', async () => {
  const source = await opened();
  expect((await value(source.publish(mine))).refused).toEqual(new Map([[path, owner]]));
  await agent.kill('SIGKILL');
  // Its process is gone, but it may be back in a moment.
  expect((await value(source.publish(mine))).refused).toEqual(new Map([[path, owner]]));
  expect(await record()).toBe('{"from":"the other"}');
  await value(source.publish(new Map()));
  await eventually('swept', async () => (await record()) === null);
  // The records of a session go before what says whose they are.
  await eventually('its session is forgotten', async () => {
    return !(await readdir(join(store.path, 'state/.sessions'))).some((name) => name.startsWith(owner));
  });
  expect(await value(source.publish(mine))).toEqual({ written: 1, deleted: 0, refused: new Map() });
});

test('where nobody is there to sweep, readers do not take a dead record for a live one', async () => {
  const client = new DirectoryStoreClient({ path: store.path }, systemClock);
  expect(await value(client.get(path))).not.toBeNull();
  await agent.kill('SIGKILL');
  await eventually('expired', async () => (await value(client.get(path))) === null);
  expect((await value(client.list('state'))).some((each) => each.path === path)).toBe(false);
  expect(await record()).not.toBeNull();
  expect(await value(store.source().owner(path))).toBeNull();
});

test('a restarted agent takes its own record over at once', async () => {
  await agent.kill('SIGKILL');
  const source = await opened([owner]);
  expect(await value(source.publish(mine))).toEqual({ written: 1, deleted: 0, refused: new Map() });
  expect((await value(source.owner(path)))?.session).toBe(session(source));
  await eventually('the old session is swept', async () => {
    const names = await readdir(join(store.path, 'state/.sessions'));
    return !names.some((name) => name.startsWith(owner));
  });
  // Sweeping the old session must not take what it no longer has.
  expect(await record()).toBe('{"from":"me"}');
});

test('an agent that stands still is not a dead one, however long', async () => {
  const source = await opened();
  agent.signal('SIGSTOP');
  const lock = join(store.path, 'state/.sessions', `${owner}.lock`);
  await eventually(
    'its time-out has long passed',
    async () => Date.now() - (await stat(lock)).mtimeMs > TIMEOUT_MS * 2,
  );
  expect((await value(source.publish(mine))).refused).toEqual(new Map([[path, owner]]));
  expect(await record()).toBe('{"from":"the other"}');
  agent.signal('SIGCONT');
});

test('lists spoilt by hand cost nobody a record for good', async () => {
  await agent.kill('SIGKILL');
  await rm(join(store.path, 'state/.sessions'), { recursive: true });
  const source = await opened();
  expect((await value(source.publish(mine))).written).toBe(1);
  // Somebody tidies up under a living agent: it comes back with another session and all its records.
  const before = session(source);
  execFileSync('rm', ['-rf', join(store.path, 'state')]);
  await eventually('another session', () => source.state().kind === 'connected' && session(source) !== before);
  await eventually('published again', async () => (await record()) === '{"from":"me"}');
});
