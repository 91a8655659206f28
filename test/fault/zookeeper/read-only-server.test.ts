import { afterAll, beforeAll, expect, test } from 'vitest';
import { Backoff } from '../../../src/core/backoff.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { dialTcp } from '../../../src/sources/zookeeper/transport.ts';
import { WriterSearch } from '../../../src/sources/zookeeper/writer-search.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, openClient, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// A member that has lost its ensemble answers from memory where it is told to: to new sessions that say that they only
// read. It makes those of its own (localSessionsEnabled) and hangs up on everybody else.
let ensemble: ZookeeperEnsemble;
const cleanups = new Cleanups();
const READ_ONLY = 'Mode: read-only';

beforeAll(async () => {
  ensemble = cleanups.add(
    await ZookeeperEnsemble.start({
      members: 3,
      properties: ['-Dreadonlymode.enabled=true'],
      config: ['localSessionsEnabled=true', 'localSessionsUpgradingEnabled=true'],
    }),
  );
  const outsider = await ZookeeperOutsider.connect(ensemble.servers.join(','));
  await outsider.put(`${ROOT}/config/vips/web`, '{"n":1}');
  // Sessions that made no ephemeral node are known to one member alone here, and would not outlive the loss.
  outsider.close();
});
afterAll(() => cleanups.run());

function searchFor(found: (server: number) => void): WriterSearch {
  const backoff = new Backoff({ firstMs: 50, maxMs: 200, factor: 2, jitter: 0 }, () => 0);
  const search = new WriterSearch({ dial: dialTcp, clock: systemClock, backoff, patienceMs: 1_000 }, found);
  search.start(
    ensemble.servers.map((server) => {
      const [host = '', port = ''] = server.split(':');
      return { host, address: host, port: Number(port) };
    }),
  );
  return search;
}

test('two of three members are lost: the third is read by who knows nothing, and nobody writes', async () => {
  const [left, ...lost] = ensemble.members;
  if (left === undefined) throw new Error('no members');
  const veteran = cleanups.source(ensemble.servers, { sessionTimeoutMs: 10_000, allowReadOnly: true });
  const session = await veteran.session();
  await veteran.snapshot();
  orThrow(await veteran.publish({ 'state/agents/old': '1' }));
  await Promise.all(lost.map((member) => member.kill()));
  await eventually('the third is read-only', async () => (await left.command('srvr')).includes(READ_ONLY));

  const found: number[] = [];
  const search = searchFor((server) => found.push(server));
  const newcomer = cleanups.source(ensemble.servers, { sessionTimeoutMs: 10_000, allowReadOnly: true });
  const snapshot = await newcomer.snapshot();
  expect(Buffer.from(snapshot.records.get('config/vips/web')?.bytes ?? []).toString()).toBe('{"n":1}');
  expect(snapshot.mayBeOld).toBe(true);
  // For everybody else it is no session: the agent says so, publishes nothing and is not older for it.
  const state = newcomer.source.state();
  expect(state).toMatchObject({
    kind: 'connecting',
    lastError: expect.stringMatching(/read-only.*lost its ensemble/) as unknown,
  });
  await eventually('what it publishes is refused', async () => {
    const published = await newcomer.publish({ 'state/agents/new': '1' });
    expect(published).toMatchObject({ ok: false, error: { transient: true } });
    // The server may hang up meanwhile: then it is met once more.
    return !published.ok && published.error.code === 'STORE_FORBIDDEN';
  });

  // Whoever has a session of the ensemble keeps it, and stays outside; so does whoever does not want old records.
  expect(veteran.isConnected).toBe(false);
  expect(await veteran.source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
  await eventually('the reason is said', () => {
    const current = veteran.source.state();
    return current.kind === 'connecting' && current.lastError?.includes('it may be read-only');
  });
  const client = openClient(ensemble.servers, { sessionTimeoutMs: 1_000 });
  expect(await client.list('config')).toMatchObject({ ok: false, error: { code: 'STORE_UNREACHABLE' } });
  await client.close();
  expect(found).toEqual([]);

  for (const member of lost) member.start();
  await eventually('the newcomer has a session', () => newcomer.isConnected);
  await eventually('a member that can write is found', () => found.length === 1);
  search.stop();
  const outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.servers.join(',')));
  // What could not be published was remembered, and the veteran's record is still its own.
  await eventually('published', async () => (await outsider.get(`${ROOT}/state/agents/new`)) === '1');
  await eventually('the veteran is back', () => veteran.isConnected);
  expect(await veteran.session()).toBe(session);
  expect(await outsider.owner(`${ROOT}/state/agents/old`)).toBe(session);
  expect((await newcomer.snapshot()).mayBeOld).toBeUndefined();
  await newcomer.untilPoked(() => outsider.put(`${ROOT}/config/vips/web`, '{"n":2}'));
  expect(await newcomer.text('config/vips/web')).toBe('{"n":2}');
});
