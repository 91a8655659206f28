import { afterAll, beforeAll, expect, test } from 'vitest';
import { ok } from '../../src/core/result.ts';
import { Cleanups, openClient, orThrow } from '../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';

// Operators and agents with credentials of their own: config/ is the ones', state/ the others', all may read.
let ensemble: ZookeeperEnsemble;
let stranger: ZookeeperOutsider;
const cleanups = new Cleanups();
const operator = () => ok('operator:one');
const put = (text: string) => [{ kind: 'put', path: 'config/vips/web', bytes: Buffer.from(text) }] as const;

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  stranger = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

test.each([
  ['with credentials', '/with', () => ok('agent:two')],
  ['without any', '/without', () => ok(null)],
])('agents %s publish below a root that an operator made, and cannot touch its config', async (_how, root, agent) => {
  const client = cleanups.add(openClient(ensemble.servers, { root, auth: operator, agentAuth: agent }));
  orThrow(await client.write(put('{"n":1}')));
  const watched = cleanups.source(ensemble.servers, { root, auth: agent });
  expect(await watched.text('config/vips/web')).toBe('{"n":1}');
  expect(orThrow(await watched.publish({ 'state/health/web/lb1': '{}' })).written).toBe(1);
  expect(await stranger.get(`${root}/state/health/web/lb1`)).toBe('{}');
  const asAgent = cleanups.add(openClient(ensemble.servers, { root, auth: agent }));
  expect(await asAgent.write(put('{"n":2}'))).toMatchObject({ ok: false, error: { code: 'STORE_FORBIDDEN' } });
  await expect(stranger.put(`${root}/config/vips/web`, 'x')).rejects.toThrow(/NO_AUTH/);
  // A second operator with the same credentials, in a later session, may.
  const later = cleanups.add(openClient(ensemble.servers, { root, auth: operator }));
  orThrow(await later.write(put('{"n":3}')));
});

test('where agents have credentials nobody else writes to state', async () => {
  await expect(stranger.put('/with/state/health/web/forged', '{}')).rejects.toThrow(/NO_AUTH/);
  const agent = cleanups.source(ensemble.servers, { root: '/with', auth: () => ok('agent:two') });
  await agent.session();
  orThrow(await agent.publish({ 'state/agents/lb1': '{}' }));
  await expect(stranger.put('/with/state/agents/lb1', 'forged')).rejects.toThrow(/NO_AUTH/);
  const thief = cleanups.source(ensemble.servers, { root: '/with', auth: () => ok('thief:three') });
  await thief.session();
  expect(await thief.publish({ 'state/health/web/lb9': '{}' })).toMatchObject({
    ok: false,
    error: { code: 'STORE_FORBIDDEN' },
  });
});
