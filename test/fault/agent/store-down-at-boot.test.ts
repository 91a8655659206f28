import { expect, it } from 'vitest';
import { ALL_UP, AgentWorld, WEB } from '../../fakes/agent-world.ts';

const WEEK_MS = 7 * 24 * 3_600_000;

it('starts from the last known good when the store has been down for a week, after a boot', async () => {
  const world = new AgentWorld();
  const first = await world.start();
  await world.stop(first, { kind: 'stop', flush: true });
  expect(await world.host.table()).toEqual({});
  world.take();

  world.store.setReachable(false);
  world.clock.advance(WEEK_MS);
  const run = await world.start();
  expect(run.status()).toMatchObject({ ready: false, configuration: { origin: 'none' } });
  await world.pass(3_900);
  expect(world.take()).toEqual([]);
  await world.pass(200);
  run.checks.find(ALL_UP);
  await world.pass(0);
  expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 10, 10.0.0.3|80 10' });
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  const { ready, configuration } = run.status();
  expect({ ready, origin: configuration.origin }).toEqual({ ready: true, origin: 'last-known-good' });
  expect(configuration.ageSeconds).toBeGreaterThan(WEEK_MS / 1_000);
  expect(configuration.ageSeconds).toBeLessThan(WEEK_MS / 1_000 + 10);

  world.take();
  world.store.setReachable(true);
  await world.pass(1_000);
  expect(run.status().configuration).toMatchObject({ origin: 'store', ageSeconds: 0 });
  expect(world.take()).toEqual([]);
});
