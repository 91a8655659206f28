import type { Narrator } from './narrator.ts';
import { REALS, WEB_VIP, lanAddress } from './records.ts';
import { AGENTS, WEB, assert, healthIf, soon } from './story.ts';
import type { AgentName, World } from './world.ts';

/** The store is killed, and the tree deleted by mistake. */
export async function storeStory(world: World, narrator: Narrator): Promise<void> {
  const { server } = world.store;
  if (server !== null) {
    await narrator.step(
      'The store is killed (SIGKILL): traffic and route stay, and the agents say how old they are',
      async () => {
        await server.kill();
        const status = await soon('lb1 has noticed', async () => {
          const now = await world.status('lb1');
          return now.store.state === 'connecting' && (now.configuration.ageSeconds ?? 0) > 0 ? now : null;
        });
        const tally = await world.client.get(WEB, 20);
        assert(tally.failed === 0, `20 requests without a failure: ${JSON.stringify(tally)}`);
        assert((await world.nextHops(WEB_VIP)).length === 2, 'both routes stay');
        assert(status.ready, `the agent is ready all the same: ${status.notReady.join('; ')}`);
        await server.start();
        for (const agent of AGENTS) {
          await soon(
            `${agent} is connected again`,
            async () => (await world.status(agent)).store.state === 'connected',
          );
          await soon(`${agent} has published again`, () =>
            healthIf(world, agent, 'r1', ({ verdict }) => verdict === 'up'),
          );
        }
        return `the accepted set was ${status.configuration.ageSeconds ?? 0} s old; all is published again`;
      },
    );
  }
  await narrator.step('The whole tree is deleted by mistake: held, traffic goes on, and it is restored', async () => {
    await world.outsider.removeTree('config');
    const hold = await soon('lb1 holds', async () => (await world.status('lb1')).holds[0]);
    await soon('lb2 holds', async () => (await world.status('lb2')).holds[0]);
    const tally = await world.client.get(WEB, 20);
    assert(tally.failed === 0, `20 requests without a failure: ${JSON.stringify(tally)}`);
    assert((await world.nextHops(WEB_VIP)).length === 2, 'both routes stay');
    for (const [path, record] of world.records()) await world.outsider.put(path, record);
    for (const agent of AGENTS) {
      await soon(`the hold of ${agent} is over`, async () => (await world.status(agent)).holds.length === 0);
    }
    return hold.why;
  });
  await narrator.step('Two of three reals are deleted: held until the revision is approved', async () => {
    await world.outsider.put('config/agents/_default', strictLimits(world));
    await soon('lb1 has the limits', async () => (await world.status('lb1')).problems.length === 0);
    for (const real of ['r2', 'r3']) await world.outsider.remove(`config/services/web/reals/${real}`);
    const hold = await soon('lb1 holds', async () => (await world.status('lb1')).holds[0]);
    assert((await world.kernelWeight('lb1', 'r3')) === 2, 'r3 stays in the pool');
    await world.outsider.put(`config/approvals/${hold.revision}`, { by: 'demo', why: 'it is meant' });
    for (const agent of AGENTS) {
      await soon(`${agent} has let r3 go`, async () => (await world.kernelWeight(agent, 'r3')) !== 2);
    }
    for (const [path, record] of world.records()) await world.outsider.put(path, record);
    await soon('r3 is back', async () => (await world.kernelWeight('lb2', 'r3')) === 2);
    await soon('r3 is back', async () => (await world.kernelWeight('lb1', 'r3')) === 2);
    return `${hold.lost.join(', ')}: ${hold.why}`;
  });
}

/** The default record with no tolerance for losses. */
function strictLimits(world: World): object {
  const [, record] = world.records().find(([path]) => path === 'config/agents/_default') ?? ['', {}];
  return { ...record, limits: { maxDeleteCount: 1, maxDeleteShare: 0.1 } };
}

/** An agent is killed and comes back; a director goes for good. */
export async function restartStory(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('An agent is killed (SIGKILL) and started again while requests run: nobody notices', async () => {
    const kernelBefore = await world.kernelTable('lb1');
    const changesBefore = await world.routeChanges('lb1');
    await world.client.startLoad(WEB, 100);
    await world.endAgent('lb1', 'SIGKILL');
    assert((await world.nextHops(WEB_VIP)).length === 2, 'the router keeps both routes');
    await world.startAgent('lb1');
    const status = await soon('lb1 is ready and has told its peer that it is complete', async () => {
      const now = await world.status('lb1');
      return now.ready && now.peers.every(({ endOfRibSent }) => endOfRibSent) ? now : null;
    });
    const tally = await world.client.endLoad();
    assert(tally.failed === 0, `no request failed: ${JSON.stringify(tally)}`);
    assert(status.kernel.opsTotal === 0, `no kernel write: ${status.kernel.opsTotal}`);
    assert((await world.kernelTable('lb1')) === kernelBefore, 'the kernel table is the same');
    assert((await world.routeChanges('lb1')) === changesBefore, 'the router saw no withdrawal');
    return `${tally.requests} requests, 0 failed, slowest ${tally.slowestMs} ms; 0 kernel writes, 0 withdrawals`;
  });
  await narrator.step('One director is stopped for good: the other carries all', async () => {
    await world.endAgent('lb2', 'SIGTERM');
    await soon('one route is left', async () => (await world.nextHops(WEB_VIP)).join() === lanAddress('lb1'));
    const tally = await world.client.get(WEB, 24);
    assert(tally.failed === 0, `24 requests without a failure: ${JSON.stringify(tally)}`);
    assert((await world.outsider.read('state/agents/lb2')) === null, 'its record left with it');
    return `all via ${lanAddress('lb1')}: ${JSON.stringify(tally.answers)}`;
  });
  await narrator.step("The health that both agents publish is there for anybody's tools", async () => {
    await world.startAgent('lb2');
    const told: string[] = [];
    for (const agent of AGENTS) told.push(`${agent}: ${await verdictsOf(world, agent)}`);
    return told.join('; ');
  });
}

async function verdictsOf(world: World, agent: AgentName): Promise<string> {
  const verdicts: string[] = [];
  for (const real of REALS) {
    const health = await soon(`${agent} says that ${real} is up`, () =>
      healthIf(world, agent, real, ({ verdict }) => verdict === 'up'),
    );
    verdicts.push(`${real} ${health.verdict} (${health.cause})`);
  }
  return verdicts.join(', ');
}
