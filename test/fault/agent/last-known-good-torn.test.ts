import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AgentWorld } from '../../fakes/agent-world.ts';

it('refuses a torn last-known-good file, keeps it as evidence, touches nothing, and waits for the store', async () => {
  const world = new AgentWorld();
  const first = await world.start();
  await world.kill(first);
  const path = join(world.stateDir, 'last-known-good.json');
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  const table = await world.host.table();
  world.take();

  world.store.setReachable(false);
  const run = await world.start();
  await world.pass(3_600_000);
  expect(world.take()).toEqual([]);
  expect(await world.host.table()).toEqual(table);
  expect(run.status()).toMatchObject({ ready: false, configuration: { origin: 'none', acceptedRevision: null } });
  expect(world.log.about('the last-known-good file is refused')).toHaveLength(1);
  expect(existsSync(`${path}.refused`)).toBe(true);

  world.store.setReachable(true);
  await world.pass(1_000);
  expect(run.status()).toMatchObject({ configuration: { origin: 'store' } });
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(await world.host.table()).toEqual(table);
});
