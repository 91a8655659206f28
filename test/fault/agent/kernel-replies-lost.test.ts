import { expect, it } from 'vitest';
import { ALL_UP, AgentWorld, WEB } from '../../fakes/agent-world.ts';

it('finishes a plan whose replies were lost in the middle, sending nothing twice', async () => {
  const world = new AgentWorld();
  let sent = 0;
  world.host.disturb = () => (++sent === 3 ? 'lost' : null);
  const run = await world.start({});
  run.checks.find(ALL_UP);
  await world.pass(0);
  await world.pass(2_000);
  expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 10, 10.0.0.3|80 10' });
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(run.status()).toMatchObject({ ready: true, kernel: { failures: [] } });
  expect(run.agent.counters.refusals).toBe(0);
});

it('is not ready, and announces nothing that it does not know to be served, while every reply is lost', async () => {
  const world = new AgentWorld();
  world.host.disturb = () => 'lost';
  const run = await world.start();
  await world.pass(60_000);
  expect(run.speaker.announced).toEqual([]);
  expect(run.status()).toMatchObject({
    ready: false,
    notReady: ['dataplane: replies were lost: the answers were lost'],
    vips: [{ advertised: false }],
  });
  expect(world.published('state/agents/lb1')).toMatchObject({ ready: false });
  expect(world.published('state/health/web/lb1')).toMatchObject({ advertised: false });
});
