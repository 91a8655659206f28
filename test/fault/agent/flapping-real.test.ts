import { expect, it } from 'vitest';
import { AgentWorld, WEB } from '../../fakes/agent-world.ts';

it('follows a real that flaps without a storm of passes, and without harm to the others', async () => {
  const world = new AgentWorld();
  const run = await world.start();
  const { passes } = run.agent.counters;
  const { publishes } = run.source;
  world.take();
  // A thousand changes in ten seconds, in bursts of a hundred within one turn of the event loop.
  for (let burst = 0; burst < 10; burst++) {
    for (let flap = 0; flap < 100; flap++) run.checks.find({ '10.0.0.2': flap % 2 === 0 ? 'down' : 'up' });
    await world.pass(1_000);
  }
  expect(run.agent.counters.passes - passes).toBeLessThanOrEqual(20);
  expect(run.source.publishes - publishes).toBeLessThanOrEqual(50);
  run.checks.find({ '10.0.0.2': 'down' });
  await world.pass(1_000);
  const events = world.take();
  expect(events.filter((event) => !event.includes('10.0.0.2|80'))).toEqual([]);
  expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 0, 10.0.0.3|80 10' });
  expect(world.published('state/health/web/lb1')).toMatchObject({ reals: { b: { verdict: 'down', weight: 0 } } });
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
});
