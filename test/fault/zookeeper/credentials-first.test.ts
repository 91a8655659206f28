import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { err, ok } from '../../../src/core/result.ts';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT, openClient, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let ensemble: ZookeeperEnsemble;
let proxy: ChaosProxy;
const cleanups = new Cleanups();
const auth = () => ok('agent:secret');

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  proxy = cleanups.add(await ChaosProxy.start(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

describe('a tree that only its owner may write', () => {
  test('nodes made with credentials can be read by all and written by nobody else', async () => {
    const operator = cleanups.add(openClient([proxy.address], { auth }));
    orThrow(await operator.write([{ kind: 'put', path: 'config/vips/web', bytes: Buffer.from('{}') }]));
    const stranger = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
    expect(await stranger.get(`${ROOT}/config/vips/web`)).toBe('{}');
    expect(await stranger.acl(`${ROOT}/config/vips/web`)).toMatch(/^world:anyone:1 digest:agent:\S+:31$/);
    await expect(stranger.put(`${ROOT}/config/vips/web`, 'x')).rejects.toThrow(/NO_AUTH/);
    const other = cleanups.add(openClient([proxy.address], { auth: () => ok('somebody:else') }));
    const refused = await other.write([{ kind: 'put', path: 'config/vips/web', bytes: Buffer.from('x') }]);
    expect(refused).toMatchObject({ ok: false, error: { code: 'STORE_FORBIDDEN' } });
  });

  test('after each of many reconnects not one write is refused for want of credentials', async () => {
    const watched = cleanups.source([proxy.address], { auth });
    await watched.session();
    orThrow(await watched.publish({ 'state/agents/lb1': '0' }));
    for (let n = 1; n <= 6; n++) {
      proxy.cut();
      await eventually('the cut is noticed', () => !watched.isConnected, { everyMs: 1 });
      // From the very first moment, not only once all is quiet.
      const outcome = await eventually(
        'a write that got through',
        async () => {
          const written = await watched.publish({ 'state/agents/lb1': String(n) });
          if (!written.ok && !written.error.transient) return written;
          return written.ok ? written : null;
        },
        { everyMs: 1 },
      );
      expect(outcome.ok).toBe(true);
    }
  });
});

test('a secret that cannot be read is told, and its return is noticed', async () => {
  let secret: 'missing' | 'there' = 'missing';
  const watched = cleanups.source([proxy.address], {
    auth: () => (secret === 'there' ? ok('agent:secret') : err(new CodedError('SECRET_UNREADABLE', 'no such file'))),
  });
  await eventually('the reason', () => {
    const state = watched.source.state();
    return state.kind === 'connecting' && state.lastError === 'SECRET_UNREADABLE: no such file';
  });
  secret = 'there';
  await watched.session();
});
