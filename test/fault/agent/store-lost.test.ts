import { expect, it } from 'vitest';
import { ALL_UP, AgentWorld, WEB } from '../../fakes/agent-world.ts';

const HOUR_MS = 3_600_000;

it('goes on without its store for hours: it forwards, announces and checks, and says how old its orders are', async () => {
  const world = new AgentWorld();
  const run = await world.start();
  expect(run.status()).toMatchObject({ ready: true, configuration: { origin: 'store', ageSeconds: 0 } });
  await world.pass(HOUR_MS / 10);
  world.take();
  world.store.setReachable(false);
  await world.pass(HOUR_MS / 10);
  world.clock.advance(3.8 * HOUR_MS);
  await world.pass(HOUR_MS / 10);
  expect(world.take()).toEqual([]);
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(run.status()).toMatchObject({
    ready: true,
    store: { state: 'connecting', publishing: 'unreachable' },
    configuration: { origin: 'store', ageSeconds: 4 * 3_600 },
  });

  run.checks.find({ '10.0.0.1': 'down' });
  await world.pass(0);
  expect(world.take()).toEqual([`edit ${WEB} 10.0.0.1|80 0`]);
  run.checks.find({ '10.0.0.1': 'down', '10.0.0.2': 'down', '10.0.0.3': 'down' });
  await world.pass(0);
  expect(run.speaker.announced).toEqual([]);
  run.checks.find(ALL_UP);
  await world.pass(0);
  expect(run.speaker.announced).toEqual(['192.0.2.10']);

  world.put('services/web/reals/d', { address: '10.0.0.4', weight: 10 });
  world.store.setReachable(true);
  await world.pass(1_000);
  expect(run.status()).toMatchObject({ ready: true, configuration: { ageSeconds: 0 }, store: { publishing: 'ok' } });
  expect(world.published('state/health/web/lb1')).toMatchObject({ reals: { d: { target: '10.0.0.4:80' } } });
});
