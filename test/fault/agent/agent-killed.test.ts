import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AgentRun } from '../../fakes/agent-world.ts';
import { AgentWorld, WEB } from '../../fakes/agent-world.ts';

/** A world in which an agent ran, with b down, and was killed. */
async function killed(): Promise<{ readonly world: AgentWorld; readonly before: AgentRun }> {
  const world = new AgentWorld();
  const before = await world.start();
  before.checks.find({ '10.0.0.2': 'down' });
  await world.pass(5_000);
  await world.kill(before);
  world.take();
  return { world, before };
}

it('adopts what it left: not one operation, the same routes, and the speaker told of the restart', async () => {
  const { world, before } = await killed();
  const table = await world.host.table();
  expect(table).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 0, 10.0.0.3|80 10' });
  const after = await world.start({});
  expect(world.take()).toEqual(['routes 192.0.2.10', 'flushed', 'end of RIB']);
  expect(await world.host.table()).toEqual(table);
  expect(after.speaker.routes).toEqual(before.speaker.routes);
  expect(before.speaker.settings).toEqual({ ...after.speaker.settings, restarting: false });
  expect(after.speaker.settings?.restarting).toBe(true);
  expect(after.status()).toMatchObject({ ready: true, kernel: { opsTotal: 0, repairsTotal: 0, foreignServices: [] } });
});

it('knows who was up and down before, within a minute', async () => {
  const { world } = await killed();
  const after = await world.start({});
  const verdicts = after.status().services[0]?.reals.map(({ name, verdict }) => `${name} ${verdict}`);
  expect(verdicts).toEqual(['a up', 'b down', 'c up']);
});

it('keeps the weights of the kernel when its health is too old, and holds End-of-RIB until the checks have spoken', async () => {
  const { world } = await killed();
  await world.pass(120_000);
  const after = await world.start({});
  expect(world.take()).toEqual(['routes 192.0.2.10', 'flushed']);
  expect(after.status().services[0]?.reals.map(({ verdict }) => verdict)).toEqual(['unknown', 'unknown', 'unknown']);
  after.checks.find({ '10.0.0.1': 'up', '10.0.0.2': 'up', '10.0.0.3': 'down' });
  await world.pass(0);
  expect(world.take()).toEqual([`edit ${WEB} 10.0.0.2|80 10`, `edit ${WEB} 10.0.0.3|80 0`, 'end of RIB']);
});

it('replaces the records of its own dead session at once', async () => {
  const { world, before } = await killed();
  const after = await world.start({});
  expect(after.source.session).not.toBe(before.source.session);
  expect(world.published('state/agents/lb1')).toMatchObject({ session: after.source.session, ready: true });
  expect(after.status().store.publishing).toBe('ok');
});

it('lets go gently what was deleted while it was away', async () => {
  const { world } = await killed();
  world.remove('services/web/reals/c');
  world.host.connections.set(`${WEB} 10.0.0.3|80`, 4);
  await world.start({});
  await world.pass(5_000);
  expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 0, 10.0.0.3|80 0' });
  world.host.connections.clear();
  await world.pass(2_000);
  expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 0' });
});

it('takes out a whole service that was deleted while it was away: its journal knows it, if nothing else does', async () => {
  const world = new AgentWorld();
  world.put('services/extra', { vip: 'shop', match: { ports: ['81'], protocols: ['tcp'] } });
  const before = await world.start();
  expect(Object.keys(await world.host.table()).sort()).toEqual([WEB, 'tcp|192.0.2.10|81']);
  await world.kill(before);
  world.remove('services/extra');
  // Else it would be adopted as accepted first, until its loss is judged.
  rmSync(join(world.stateDir, 'last-known-good.json'));
  const after = await world.start({});
  await world.pass(5_000);
  expect(Object.keys(await world.host.table())).toEqual([WEB]);
  expect(after.status().kernel.foreignServices).toEqual([]);
});

it('is no restart after a stop in order', async () => {
  const world = new AgentWorld();
  const before = await world.start();
  await world.stop(before);
  expect(before.speaker.stopped).toMatchObject({ kind: 'stop', text: expect.stringContaining('lb1') as unknown });
  expect(before.checks.closed).toBe(true);
  expect(world.published('state/agents/lb1')).toBeUndefined();
  expect(world.clock.pendingTimers).toBe(0);
  expect(Object.keys(await world.host.table())).toEqual([WEB]);
  const after = await world.start();
  expect(after.speaker.settings?.restarting).toBe(false);
});

it('is a restart when it was asked for, and the store keeps the records', async () => {
  const world = new AgentWorld();
  const before = await world.start();
  await world.stop(before, { kind: 'restart' });
  expect(before.speaker.stopped).toEqual({ kind: 'restart' });
  expect(world.published('state/agents/lb1')).toMatchObject({ session: before.source.session });
  const after = await world.start({});
  expect(after.speaker.settings?.restarting).toBe(true);
});
