import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadBootstrap } from '../../../src/agent/bootstrap-file.ts';
import { storeSettings } from '../../../src/agent/store-settings.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { openStoreClient } from '../../../src/sources/open-source.ts';
import { tempDir } from '../../fakes/temp-dir.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, openClient, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';
import { harness } from '../../unit/cli/cli-harness.ts';

// Servers that take less in one request than others hang up on more, without a word and however often it comes.
const TAKES = 16_384;
let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start({ properties: [`-Djute.maxbuffer=${TAKES}`] }));
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  await outsider.put(`${ROOT}/config/vips/web`, '{}');
});
afterAll(() => cleanups.run());

test('records go out in smaller batches; one that is too large is named, with its size, and holds up nothing', async () => {
  const watched = cleanups.source(ensemble.servers);
  const session = await watched.session();
  const paths = Array.from({ length: 100 }, (_, n) => `state/health/s${n}/lb1`);
  const huge = 'state/health/huge/lb1';
  const records = { ...Object.fromEntries(paths.map((path) => [path, 'x'.repeat(2_000)])), [huge]: 'x'.repeat(20_000) };
  const report = await eventually('the end of the retries', async () => {
    const published = await watched.publish(records);
    return !published.ok && published.error.code === 'STORE_TOO_LARGE' ? published.error.message : null;
  });
  expect(report).toMatch(/huge\/lb1\): the request has 20\d\d\d bytes, .*jute\.maxbuffer/);
  for (const path of paths) expect((await outsider.get(`${ROOT}/${path}`))?.length).toBe(2_000);
  expect(await outsider.get(`${ROOT}/${huge}`)).toBeNull();

  // From now on the connection stays, whatever is published.
  const breaks = watched.states.length;
  const changed = Object.fromEntries(paths.map((path) => [path, 'y'.repeat(2_000)]));
  expect(await watched.publish({ ...changed, [huge]: 'y'.repeat(20_000) })).toMatchObject({ ok: false });
  expect(orThrow(await watched.publish(changed))).toMatchObject({ written: 0, refused: new Map() });
  expect(await outsider.get(`${ROOT}/state/health/s99/lb1`)).toBe('y'.repeat(2_000));
  expect(watched.states).toHaveLength(breaks);
  expect(await watched.session()).toBe(session);
  // Each size costs about two broken connections, and the sizes halve.
  expect(watched.states.filter((kind) => kind === 'connecting').length).toBeLessThan(24);
});

test('an operator’s write is refused with the reason, and nothing of it was written', async () => {
  const client = cleanups.add(openClient(ensemble.servers));
  const put = (path: string, size: number) => ({ kind: 'put', path, bytes: Buffer.from('x'.repeat(size)) }) as const;
  const refused = await client.write([put('config/vips/a', 10_000), put('config/vips/b', 10_000)]);
  expect(refused).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE', transient: false } });
  expect(refused.ok ? '' : refused.error.message).toMatch(/the request has 20\d\d\d bytes, .*jute\.maxbuffer/);
  expect(await outsider.get(`${ROOT}/config/vips/a`)).toBeNull();
  orThrow(await client.write([put('config/vips/a', 10_000)]));
  orThrow(await client.write([put('config/vips/b', 10_000)]));
  expect((await client.list('config/vips')).ok).toBe(true);
});

test('apply writes nothing of what is too large at once, says so, and with --yes as much at a time as fits', async () => {
  const folder = tempDir();
  const records = join(folder, 'records');
  mkdirSync(join(records, 'config/vips'), { recursive: true });
  for (let n = 10; n < 30; n++) {
    const record = { addresses: [`203.0.113.${n}`], _meta: { ticket: 'x'.repeat(2_000) } };
    writeFileSync(join(records, `config/vips/v${n}.json`), JSON.stringify(record));
  }
  const zookeeper = { servers: ensemble.servers, sessionTimeout: '10s' };
  const bootstrap = { agent: 'lb1', root: '/apply', stateDir: join(folder, 'state'), store: { zookeeper } };
  writeFileSync(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap));
  const deps = { clock: systemClock, random: Math.random, log: silentLog };
  const { run } = harness(
    { loadBootstrap, openStore: (loaded) => openStoreClient(storeSettings(loaded, 'operator'), deps) },
    { VIPKEEPER_BOOTSTRAP: join(folder, 'bootstrap.json') },
  );
  const refused = await run('apply', records);
  expect(refused.err).toContain('20 changes do not fit one transaction of this store; nothing was written');
  expect(refused.exitCode).toBe(1);
  expect(await outsider.get('/apply')).toBeNull();
  expect(await run('apply', '--yes', records)).toMatchObject({ exitCode: 0, err: '' });
  expect(await outsider.children('/apply/config/vips')).toHaveLength(20);
  expect((await run('apply', records)).out).toContain('nothing to write');
});

test('long names are read a few at a time', async () => {
  const root = '/long-names';
  const names = Array.from({ length: 100 }, (_, n) => `${'n'.repeat(200)}${n}`);
  await outsider.put(`${root}/config/vips`, '');
  for (const name of names) await outsider.put(`${root}/config/vips/${name}`, '{}');
  const watched = cleanups.source(ensemble.servers, { root });
  expect((await watched.snapshot()).records.size).toBe(101);
  const client = cleanups.add(openClient(ensemble.servers, { root }));
  expect(orThrow(await client.list('config/vips'))).toHaveLength(101);
});
