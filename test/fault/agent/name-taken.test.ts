import { expect, it } from 'vitest';
import { AgentWorld } from '../../fakes/agent-world.ts';

it('leaves its name to a stranger: it waits two session time-outs, then is not ready, and goes on forwarding', async () => {
  const world = new AgentWorld();
  const bytes = Buffer.from('{"agent":"lb1"}');
  world.store.ephemeral.set('state/agents/lb1', { session: 'stranger', bytes });
  const run = await world.start();
  await world.pass(18_000);
  expect(run.status()).toMatchObject({
    ready: true,
    store: { publishing: expect.stringMatching(/^waiting/) as unknown },
  });
  await world.pass(10_000);
  expect(run.status()).toMatchObject({
    ready: false,
    notReady: ['another agent publishes under the name lb1 (session stranger)'],
  });
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(world.store.ephemeral.get('state/agents/lb1')?.bytes).toBe(bytes);
  expect(world.published('state/health/web/lb1')).toBeUndefined();

  world.store.expire('stranger');
  await world.pass(6_000);
  expect(run.status()).toMatchObject({ ready: true, store: { publishing: 'ok' } });
  expect(world.published('state/health/web/lb1')).toMatchObject({ agent: 'lb1' });
});
