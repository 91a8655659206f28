import { expect, it } from 'vitest';
import { AgentWorld } from '../../fakes/agent-world.ts';

it.each([
  ['record by record', (world: AgentWorld) => emptied(world)],
  ['with its root', (world: AgentWorld) => uprooted(world)],
])('holds a store that is emptied %s: nothing is withdrawn, nothing deleted, and it says so', async (_how, empty) => {
  const world = new AgentWorld();
  const run = await world.start();
  const table = await world.host.table();
  world.take();
  await empty(world);
  await world.pass(120_000);
  expect(world.take()).toEqual([]);
  expect(await world.host.table()).toEqual(table);
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(run.status()).toMatchObject({
    ready: true,
    holds: [{ why: expect.stringMatching(/emptied|root/) as unknown }],
  });
  expect(world.published('state/agents/lb1')).toMatchObject({ holds: [{ why: expect.any(String) as unknown }] });
  expect(world.log.about('a change is held')).not.toEqual([]);
});

/** As a recursive delete does it: leaves first, one at a time. */
async function emptied(world: AgentWorld): Promise<void> {
  for (const path of [...world.store.records.keys()].sort().reverse()) {
    world.store.remove(path);
    await world.pass(20);
  }
}

function uprooted(world: AgentWorld): Promise<void> {
  world.store.rootExists = false;
  world.store.remove('config');
  return Promise.resolve();
}
