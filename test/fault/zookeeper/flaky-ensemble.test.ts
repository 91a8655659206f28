import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups, ROOT } from '../../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../../lab/zookeeper.ts';

// Three members, each behind a network of its own that cuts, stalls and fragments, while they are killed in turn.
let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
let proxies: ChaosProxy[];
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start({ members: 3 }));
  outsider = cleanups.add(await ZookeeperOutsider.connect(ensemble.servers.join(',')));
  await outsider.put(`${ROOT}/config/vips/counter`, '0');
  proxies = [];
  for (const server of ensemble.servers) proxies.push(cleanups.add(await ChaosProxy.start(server)));
});
afterAll(() => cleanups.run());

test('every edit is seen, and every call answered', async () => {
  const watched = cleanups.source(
    proxies.map((proxy) => proxy.address),
    { sessionTimeoutMs: 10_000 },
  );
  await watched.session();
  let asked = 0;
  let answered = 0;
  const ask = (call: Promise<unknown>): void => {
    asked += 1;
    void call.then(() => (answered += 1));
  };
  let edits = 0;
  for (let round = 0; round < 3; round++) {
    const member = ensemble.member(round);
    for (let n = 0; n < 12; n++) {
      const path = `${ROOT}/config/vips/v${edits++}`;
      await eventually('the edit is taken', () => outsider.put(path, String(n)).then(() => true));
      ask(watched.source.snapshot());
      ask(watched.publish({ 'state/agents/lb1': String(edits) }));
      const proxy = proxies[(round + n) % 3];
      if (n % 4 === 0) proxy?.cut();
      if (n % 4 === 1) proxy?.cutAfter('toClient', 10 + 37 * n);
      if (n % 4 === 2) proxy?.fragment(3);
      if (n === 3) await member.kill();
      if (n === 7) member.start();
      if (n === 11) for (const each of proxies) each.fragment(undefined);
    }
    await member.ready();
  }
  for (const each of proxies) each.cutAfter('toClient', Number.MAX_SAFE_INTEGER);
  // A read that a poke asked for has them all: nobody else asks for one.
  await eventually('every edit is seen', async () => (await watched.snapshot()).records.size === 1 + 1 + edits);
  await eventually('what was wanted last is published', async () => {
    return (await outsider.get(`${ROOT}/state/agents/lb1`)) === String(edits);
  });
  await eventually('every call is answered', () => answered === asked);
  expect(watched.states).toContain('connecting');
  await watched.untilPoked(() => outsider.put(`${ROOT}/config/vips/counter`, 'after'));
});
