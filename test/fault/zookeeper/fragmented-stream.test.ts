import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { Cleanups, ROOT, orThrow } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

let proxy: ChaosProxy;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();

beforeAll(async () => {
  const ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.member(0).address));
  for (let n = 0; n < 30; n++) await outsider.put(`${ROOT}/config/services/s${n}`, `{"n":${n}}`);
  proxy = cleanups.add(await ChaosProxy.start(ensemble.member(0).address));
});
afterAll(() => cleanups.run());

test.each([1, 7])(
  'everything works when the network hands on %i byte(s) at a time, in both directions',
  async (bytes) => {
    proxy.fragment(bytes);
    const watched = cleanups.source([proxy.address], { auth: () => ({ ok: true, value: 'ana:secret' }) });
    expect((await watched.snapshot()).records.size).toBe(31);
    await watched.untilPoked(() => outsider.put(`${ROOT}/config/services/s7`, `{"bytes":${bytes}}`));
    expect(await watched.text('config/services/s7')).toBe(`{"bytes":${bytes}}`);
    expect(orThrow(await watched.publish({ 'state/agents/lb1': '{}' })).written).toBe(1);
    await watched.source.close({ keepEphemeral: false });
  },
);
