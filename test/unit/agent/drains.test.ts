import { describe, expect, it } from 'vitest';
import { AgentWorld, SHOP_WITH_BGP, WEB } from '../../fakes/agent-world.ts';
import type { AgentRun } from '../../fakes/agent-world.ts';

const OPEN = `${WEB} 10.0.0.1|80`;
const drain = (target: string, more: object = {}) => ({ target, by: 'ana', why: 'kernel upgrade', ...more });

function progressOf(run: AgentRun, name = 'chg') {
  return run.status().drains.find((one) => one.name === name)?.progress;
}

function realOf(world: AgentWorld, name = 'a'): unknown {
  const record = world.published('state/health/web/lb1') as { reals: Record<string, unknown> } | undefined;
  return record?.reals[name];
}

describe('the drain of a real', () => {
  it('waits for its connections, tells how many are left, and takes it out', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    world.host.connections.set(OPEN, 3);
    world.take();
    world.put('drains/chg', drain('web/a'));
    await world.pass(1_000);
    expect(world.take()).toEqual([`edit ${OPEN} 0`]);
    await world.pass(2_000);
    const deadline = new Date(Date.parse(run.status().now) - 3_000 + 300_000).toISOString();
    expect(realOf(world)).toMatchObject({
      state: 'drain',
      weight: 0,
      drain: { connections: { active: 3, inactive: 0, persistent: 0 }, deadline, done: false },
    });
    expect(progressOf(run)).toMatchObject({ reals: 1, realsDone: 0, connections: { active: 3 }, done: false });
    expect(world.published('state/agents/lb1')).toMatchObject({
      drains: { chg: { target: 'web/a', reals: 1, realsDone: 0, connections: { active: 3 }, deadline, done: false } },
    });

    world.host.connections.delete(OPEN);
    await world.pass(2_000);
    expect(world.take()).toEqual([`delete ${OPEN}`]);
    await world.pass(1_000);
    expect(realOf(world)).toMatchObject({ drain: { connections: { active: 0 }, deadline: null, done: true } });
    expect(world.published('state/agents/lb1')).toMatchObject({ drains: { chg: { realsDone: 1, done: true } } });
    expect(run.status()).toMatchObject({ ready: true, kernel: { leaving: [] } });
    expect(run.speaker.announced).toEqual(['192.0.2.10']);

    world.remove('drains/chg');
    await world.pass(1_000);
    expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.2|80 10, 10.0.0.3|80 10, 10.0.0.1|80 10' });
    expect(world.published('state/agents/lb1')).toMatchObject({ drains: {} });
  });

  it('reads only the service that it waits for', async () => {
    const world = new AgentWorld();
    await world.start();
    world.host.connections.set(OPEN, 1);
    world.put('drains/chg', drain('web/a'));
    await world.pass(1_000);
    const { reads } = world.host;
    world.host.narrowReads.splice(0);
    await world.pass(10_000);
    expect(world.host.reads).toBe(reads);
    expect(world.host.narrowReads.length).toBeGreaterThanOrEqual(9);
    expect(new Set(world.host.narrowReads.flat())).toEqual(new Set([WEB]));
  });

  it('gives up at the deadline that the service sets', async () => {
    const web = SHOP_WITH_BGP['services/web'] as object;
    const world = new AgentWorld({ ...SHOP_WITH_BGP, 'services/web': { ...web, drain: { timeout: '20s' } } });
    const run = await world.start();
    world.host.connections.set(OPEN, 1);
    world.put('drains/chg', drain('web/a'));
    await world.pass(19_000);
    expect(progressOf(run)).toMatchObject({ done: false });
    world.take();
    await world.pass(2_000);
    expect(world.take()).toEqual([`delete ${OPEN}`]);
    expect(progressOf(run)).toMatchObject({ done: true });
  });

  it('goes on over a crash, and its deadline stays', async () => {
    const world = new AgentWorld();
    const first = await world.start();
    world.host.connections.set(OPEN, 1);
    world.put('drains/chg', drain('web/a'));
    await world.pass(2_000);
    const before = progressOf(first);
    expect(before?.deadline).not.toBeNull();
    await world.kill(first);
    world.take();
    const second = await world.start();
    await world.pass(1_000);
    expect(world.take().filter((event) => event.includes('|'))).toEqual([]);
    expect(progressOf(second)).toMatchObject({ deadline: before?.deadline, connections: { active: 1 }, done: false });
  });

  it('ends by itself at its time', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    const until = new Date(world.clock.now() + 30_000).toISOString();
    world.put('drains/chg', drain('web/a', { until }));
    await world.pass(5_000);
    expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.2|80 10, 10.0.0.3|80 10' });
    await world.pass(30_000);
    expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.2|80 10, 10.0.0.3|80 10, 10.0.0.1|80 10' });
    expect(run.status().drains).toMatchObject([{ inForce: false, progress: null }]);
  });
});

describe('a service that is deleted', () => {
  it('has the time that its record gave it, though the agent crashes before and after and its record is gone', async () => {
    const web = SHOP_WITH_BGP['services/web'] as object;
    const settings = SHOP_WITH_BGP['agents/lb1'] as object;
    const world = new AgentWorld({
      ...SHOP_WITH_BGP,
      'agents/lb1': { ...settings, drainTimeout: '60s', limits: { maxDeleteCount: 9 } },
      'services/web': { ...web, drain: { timeout: '20m' } },
    });
    const first = await world.start();
    world.host.connections.set(OPEN, 1);
    await world.kill(first);
    for (const name of Object.keys(SHOP_WITH_BGP)) if (name.startsWith('services/')) world.remove(name);
    const second = await world.start();
    await world.pass(5_000);
    const [leaving] = second.status().kernel.leaving;
    expect(leaving).toMatchObject({ service: WEB });
    await world.kill(second);
    await world.pass(120_000);
    const third = await world.start();
    await world.pass(5_000);
    expect(third.status().kernel.leaving[0]?.until).toBe(leaving?.until);
    const left = Date.parse(leaving?.until ?? '') - world.clock.now();
    expect(left).toBeGreaterThan(1_000_000);
    await world.pass(left - 2_000);
    expect(Object.keys(await world.host.table())).toEqual([WEB]);
    world.take();
    await world.pass(4_000);
    expect(world.take()).toEqual([`delete ${WEB}`, 'delete address lo 192.0.2.10']);
  });
});

describe('the drain of the whole agent', () => {
  it('withdraws the routes, waits until that has spread, and only then lowers weights', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    world.host.connections.set(OPEN, 2);
    world.take();
    world.put('drains/chg', drain('agent:lb1'));
    await world.pass(5_000);
    expect(world.take()).toEqual(['routes', 'flushed']);
    expect(progressOf(run)).toMatchObject({ reals: 3, realsDone: 0, connections: { active: 2 }, deadline: null });
    await world.pass(6_000);
    const lowered = ['10.0.0.1|80', '10.0.0.2|80', '10.0.0.3|80'].map((real) => `edit ${WEB} ${real} 0`);
    expect(world.take().slice(0, 3)).toEqual(lowered);
    await world.pass(3_000);
    expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 0' });
    expect(progressOf(run)).toMatchObject({ reals: 3, realsDone: 2, done: false });
    world.host.connections.delete(OPEN);
    await world.pass(3_000);
    expect(progressOf(run)).toMatchObject({ realsDone: 3, connections: { active: 0 }, done: true });
    expect(world.published('state/agents/lb1')).toMatchObject({ ready: true, drains: { chg: { done: true } } });

    world.take();
    world.remove('drains/chg');
    await world.pass(1_000);
    const events = world.take();
    expect(events.at(-2)).toBe('routes 192.0.2.10');
    expect(events.slice(0, 3).every((event) => event.startsWith('add '))).toBe(true);
    expect(await world.host.table()).toEqual({ [WEB]: '10.0.0.1|80 10, 10.0.0.2|80 10, 10.0.0.3|80 10' });
  });

  it('of another agent is shown, and changes nothing', async () => {
    const world = new AgentWorld();
    const run = await world.start();
    world.take();
    world.put('drains/chg', drain('agent:lb2'));
    await world.pass(15_000);
    expect(world.take()).toEqual([]);
    expect(run.status().drains).toMatchObject([{ target: 'agent:lb2', inForce: true, progress: null }]);
    expect(world.published('state/agents/lb1')).toMatchObject({ drains: {} });
  });
});
