import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WriteOp } from '../../src/sources/source.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { eventually } from '../lab/eventually.ts';
import { Cleanups, openClient, orThrow } from '../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();
const MIB = 1024 * 1024;

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

const put = (path: string, text: string): WriteOp => ({ kind: 'put', path, bytes: Buffer.from(text) });

describe('100 services of 100 reals', () => {
  test('are read whole, an edit among them costs little, and a burst of edits ends in the last', async () => {
    const client = cleanups.add(openClient(ensemble.servers));
    for (let s = 0; s < 100; s++) {
      const reals = Array.from({ length: 100 }, (_, r) => put(`config/services/s${s}/reals/r${r}`, `{"n":${r}}`));
      orThrow(await client.write([put(`config/services/s${s}`, '{"vip":"web"}'), ...reals]));
    }
    const watched = cleanups.source(ensemble.servers);
    expect((await watched.snapshot()).records.size).toBe(1 + 100 * 102);
    for (let n = 1; n <= 50; n++) orThrow(await client.write([put('config/services/s7/reals/r7', `{"edit":${n}}`)]));
    await eventually(
      'the last edit',
      async () => (await watched.text('config/services/s7/reals/r7')) === '{"edit":50}',
    );
    expect(orThrow(await client.list('config/services')).length).toBe(1 + 100 * 102);
  });

  test('10,000 health records go out, change and go', async () => {
    const watched = cleanups.source(ensemble.servers, { sessionTimeoutMs: 6_000 });
    await watched.session();
    const records = (text: string): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: 10_000 }, (_, n) => [`state/health/s${n % 100}/lb${Math.floor(n / 100)}`, text]),
      );
    expect(orThrow(await watched.publish(records('1')))).toMatchObject({ written: 10_000, refused: new Map() });
    expect(orThrow(await watched.publish(records('2')))).toMatchObject({ written: 10_000 });
    expect(orThrow(await watched.publish(records('2')))).toMatchObject({ written: 0 });
    expect(await outsider.children('/vipkeeper/state/health/s99')).toHaveLength(100);
    expect(orThrow(await watched.publish({}))).toMatchObject({ deleted: 10_000 });
  });
});

describe('beyond the sizes that ZooKeeper likes', () => {
  test('replies over 1 MB are read, and those over our own limit in smaller pieces', async () => {
    const root = '/large';
    for (let n = 0; n < 5; n++) await outsider.put(`${root}/config/r${n}`, 'x'.repeat(600_000));
    const generous = cleanups.source(ensemble.servers, { root });
    expect((await generous.snapshot()).records.size).toBe(5);
    const tight = cleanups.source(ensemble.servers, { root, maxReplyBytes: MIB });
    expect((await tight.snapshot()).records.size).toBe(5);
    const tooTight = cleanups.source(ensemble.servers, { root, maxReplyBytes: 500_000 });
    await tooTight.session();
    expect(await tooTight.source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
    // One huge record is no reason to lose the connection.
    expect((await tooTight.source.owner('state/agents/lb1')).ok).toBe(true);
    expect(tooTight.isConnected).toBe(true);
  });

  test('a request that the server would answer by hanging up is not sent', async () => {
    const client = cleanups.add(openClient(ensemble.servers));
    const refused = await client.write([put('config/vips/huge', 'x'.repeat(MIB))]);
    expect(refused).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
    expect(await outsider.get('/vipkeeper/config/vips/huge')).toBeNull();
    orThrow(await client.write([put('config/vips/large', 'x'.repeat(MIB - 300))]));
  });

  test('a record that is too large to publish keeps nothing else from going out', async () => {
    const watched = cleanups.source(ensemble.servers);
    await watched.session();
    const outcome = await watched.publish({
      'state/agents/a': '1',
      'state/agents/b': 'x'.repeat(MIB),
      'state/agents/c': '1',
    });
    expect(outcome).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
    expect(await outsider.get('/vipkeeper/state/agents/a')).toBe('1');
    expect(await outsider.get('/vipkeeper/state/agents/c')).toBe('1');
  });

  test('trees deeper and wider than expected are read', async () => {
    const root = '/odd';
    const deep = Array.from({ length: 60 }, (_, n) => `d${n}`).join('/');
    await outsider.put(`${root}/config/${deep}`, 'bottom');
    await outsider.put(`${root}/config/wide`, '');
    await outsider.putMany(`${root}/config/wide`, new Map(Array.from({ length: 3_000 }, (_, n) => [`w${n}`, '1'])));
    const watched = cleanups.source(ensemble.servers, { root });
    expect((await watched.snapshot()).records.size).toBe(60 + 1 + 3_000);
    const limited = cleanups.source(ensemble.servers, { root, limits: { maxRecords: 1_000, maxBytes: MIB } });
    await limited.session();
    expect(await limited.source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
  });
});

test('a root below other nodes is made with all of them, and used', async () => {
  const root = '/prod/edge/vipkeeper';
  const client = cleanups.add(openClient(ensemble.servers, { root }));
  orThrow(await client.write([put('config/vips/web', '{}')]));
  const watched = cleanups.source(ensemble.servers, { root });
  expect(await watched.text('config/vips/web')).toBe('{}');
  orThrow(await watched.publish({ 'state/agents/lb1': '1' }));
  expect(await outsider.get(`${root}/state/agents/lb1`)).toBe('1');
});

test('the first server that answers is taken, wherever it stands in the list', async () => {
  const dead = await ChaosProxy.start(ensemble.member(0).address);
  await dead.close();
  const watched = cleanups.source([dead.address, '127.0.0.1:1', ...ensemble.servers]);
  await watched.session();
  expect(await watched.server()).toBe(ensemble.member(0).address);
});
