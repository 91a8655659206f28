import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { AgentWorld, SHOP_WITH_BGP, WEB } from '../../fakes/agent-world.ts';
import type { AgentRun } from '../../fakes/agent-world.ts';
import { opsFor } from '../../fakes/model-kernel.ts';

const A = `${WEB} 10.0.0.1|80`;

async function freshened(world: AgentWorld, run: AgentRun): Promise<void> {
  const fresh = run.agent.freshen();
  await world.pass(0);
  await world.pass(0);
  await fresh;
}

async function running() {
  const world = new AgentWorld();
  const run = await world.start();
  await world.pass(10_000);
  world.host.narrowReads.splice(0);
  return { world, run };
}

const shop = (run: AgentRun) => run.status().services[0];

describe('counters', () => {
  it('are read when somebody asks, with connections and rates, for services and reals', async () => {
    const { world, run } = await running();
    world.host.connections.set(A, 3);
    world.host.traffic.set(WEB, { connections: 12n, inBytes: 5_000_000_000_000n, inBytesPerSecond: 77 });
    world.host.traffic.set(A, { connections: 5n, outPackets: 9n, connectionsPerSecond: 2 });
    expect(shop(run)?.traffic.connections).toBe(0);
    await freshened(world, run);
    expect(shop(run)).toMatchObject({
      connections: { active: 3, inactive: 0, persistent: 0 },
      traffic: { connections: 12, inBytes: 5_000_000_000_000, inBytesPerSecond: 77, outBytes: 0 },
    });
    expect(shop(run)?.reals.find(({ name }) => name === 'a')).toMatchObject({
      activeConnections: 3,
      traffic: { connections: 5, outPackets: 9, connectionsPerSecond: 2 },
    });
    expect(run.status().kernel).toMatchObject({
      countedAt: new Date(world.clock.now()).toISOString(),
      connectionEntries: 3,
      connectionTableSize: 4_096,
      version: '1.2.1',
    });
  });

  it('are not read while nobody asks, nor more often than every two seconds', async () => {
    const { world, run } = await running();
    await world.pass(30_000);
    expect(world.host.narrowReads).toEqual([]);
    await freshened(world, run);
    await freshened(world, run);
    expect(world.host.narrowReads).toEqual([[WEB]]);
    await world.pass(1_900);
    await freshened(world, run);
    expect(world.host.narrowReads).toHaveLength(1);
    await world.pass(100);
    await freshened(world, run);
    expect(world.host.narrowReads).toHaveLength(2);
  });

  it('are read once for all who ask at the same time', async () => {
    const { world, run } = await running();
    const all = [run.agent.freshen(), run.agent.freshen(), run.agent.freshen()];
    await world.pass(0);
    await Promise.all(all);
    expect(world.host.narrowReads).toHaveLength(1);
  });

  it('are read in pieces, of what is ours', async () => {
    const content: Record<string, unknown> = { 'vips/shop': SHOP_WITH_BGP['vips/shop'] };
    for (let index = 0; index < 6; index++) {
      content[`services/s${index}`] = { vip: 'shop', match: { ports: [`${1_000 + index}`] }, checks: [] };
      for (let at = 0; at < 200; at++) {
        content[`services/s${index}/reals/r${at}`] = { address: `10.1.${index}.${at + 1}` };
      }
    }
    const world = new AgentWorld(content);
    await world.host.outsider(opsFor({ 'tcp|192.0.2.99|80': { '10.9.9.9|80': 5 } }));
    const run = await world.start();
    world.host.narrowReads.splice(0);
    await freshened(world, run);
    expect(world.host.narrowReads.map((keys) => keys.length)).toEqual([3, 3]);
    expect(world.host.narrowReads.flat()).not.toContain('tcp|192.0.2.99|80');
    expect(run.status().kernel).toMatchObject({ services: 6, tableServices: 7, tableDestinations: 1_201 });
  });

  it('stay as they were, with their age, where they cannot be read; the agent does not mind', async () => {
    const { world, run } = await running();
    await freshened(world, run);
    const { countedAt } = run.status().kernel;
    await world.pass(10_000);
    world.host.unreadable = new CodedError('NETLINK_LOST', 'no answer', { transient: true });
    await freshened(world, run);
    world.host.unreadable = null;
    expect(run.status()).toMatchObject({ ready: true, kernel: { countedAt, failures: [] } });
  });
});
