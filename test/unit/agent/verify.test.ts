import { describe, expect, it } from 'vitest';
import { destinationKeyOf } from '../../../src/ipvs/dataplane.ts';
import { AgentRun, AgentWorld, WEB } from '../../fakes/agent-world.ts';
import { opsFor } from '../../fakes/model-kernel.ts';

async function verified(world: AgentWorld, run: AgentRun) {
  const asked = run.agent.verify();
  await world.pass(0);
  const outcome = await asked;
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

/** Somebody else's `ipvsadm -C`. */
async function clear(world: AgentWorld): Promise<void> {
  const services = [...(await world.host.state()).values()];
  await world.host.outsider(services.map(({ service: { match } }) => ({ kind: 'deleteService', match })));
}

describe('a verification on demand', () => {
  it('finds nothing where nobody did anything, and writes nothing', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    world.take();
    const { reads } = world.host;
    const found = await verified(world, run);
    expect(found).toEqual({ compared: true, differences: [], operations: 0, failures: [], foreign: 0 });
    expect(world.host.reads).toBe(reads + 1);
    expect(world.take()).toEqual([]);
  });

  it('rests three times as long as it took, so that whoever asks without end gets a quarter of the time', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    world.host.onRead = () => world.clock.advance(100);
    await run.agent.verify();
    const { reads } = world.host;
    const answers = [run.agent.verify(), run.agent.verify()];
    await world.pass(299);
    expect(world.host.reads).toBe(reads);
    await world.pass(1);
    expect((await Promise.all(answers)).map(({ ok }) => ok)).toEqual([true, true]);
    expect(world.host.reads).toBe(reads + 1);
  });

  it('finds a table that was emptied, and mends it before it answers', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    const before = await world.host.table();
    await clear(world);
    const found = await verified(world, run);
    expect(found).toMatchObject({
      compared: true,
      differences: [{ kind: 'service-gone', text: 'service tcp 192.0.2.10:80 is gone' }],
      operations: 4,
      failures: [],
    });
    expect(await world.host.table()).toEqual(before);
    expect(run.status().kernel).toMatchObject({
      repairsTotal: 1,
      repairsByKind: { 'service-gone': 1, 'real-edited': 0 },
      repairs: [{ kind: 'service-gone', found: 'service tcp 192.0.2.10:80 is gone' }],
    });
    expect((await verified(world, run)).differences).toEqual([]);
  });

  it('leaves what is foreign alone', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    await world.host.outsider(opsFor({ 'tcp|192.0.2.99|80': { '10.9.9.9|80': 5 } }));
    const service = (await world.host.state()).get(WEB as never);
    const real = [...(service?.destinations.values() ?? [])][0]?.destination;
    if (service === undefined || real === undefined) throw new Error('there is no real');
    const edit = {
      kind: 'editDestination',
      match: service.service.match,
      destination: { ...real, weight: 77 },
    } as const;
    await world.host.outsider([edit]);
    const found = await verified(world, run);
    expect(found.differences.map(({ text }) => text)).toEqual([
      `real 10.0.0.1:80 of tcp 192.0.2.10:80 was edited: weight 77 instead of 10`,
    ]);
    expect(found).toMatchObject({ operations: 1, foreign: 1 });
    expect(await world.host.table()).toMatchObject({
      'tcp|192.0.2.99|80': `${destinationKeyOf({ ...real, address: '10.9.9.9' as never })} 5`,
    });
  });

  it('says what cannot be mended', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    await clear(world);
    world.host.disturb = (op) => (op.kind === 'addService' ? 'ENOMEM' : null);
    const { differences, failures } = await verified(world, run);
    expect(differences).toHaveLength(1);
    expect(failures[0]).toContain('ENOMEM');
  });

  it('shares one reading among those who ask at once', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    const { reads } = world.host;
    const asked = [run.agent.verify(), run.agent.verify(), run.agent.verify()];
    await world.pass(0);
    expect((await Promise.all(asked)).map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(world.host.reads).toBe(reads + 1);
  });

  it('rests after one, and answers who asks meanwhile by itself, though timers fire early', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    world.host.onRead = () => world.clock.advance(100);
    const after = world.clock.after.bind(world.clock);
    world.clock.after = (ms, fire) => after(ms > 1 ? ms - 1 : ms, fire);
    await verified(world, run);
    const { reads } = world.host;
    const asked = run.agent.verify();
    await world.pass(298);
    expect(world.host.reads).toBe(reads);
    await world.pass(102);
    expect(world.host.reads).toBe(reads + 1);
    expect(await asked).toMatchObject({ ok: true });
  });

  it('has nothing to compare with where nothing is in force, or the agent stops', async () => {
    const world = new AgentWorld();
    const run = new AgentRun(world, 'lb1');
    const early = run.agent.verify();
    await world.pass(0);
    expect(await early).toMatchObject({ ok: false, error: { code: 'NOTHING_IN_FORCE' } });
    await world.stop(run);
    expect(await run.agent.verify()).toMatchObject({ ok: false, error: { code: 'NOTHING_IN_FORCE' } });
  });
});

describe('what was repaired', () => {
  it('is counted in full, and the last of it remembered', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    for (let round = 0; round < 60; round++) {
      await clear(world);
      await verified(world, run);
    }
    const { repairsTotal, repairs } = run.status().kernel;
    expect([repairsTotal, repairs.length]).toEqual([60, 50]);
    expect(world.log.about('somebody else changed')).toHaveLength(60);
  });
});
