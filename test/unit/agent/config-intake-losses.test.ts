import { describe, expect, it } from 'vitest';
import { IntakeBench, SERVICES, without } from '../../fakes/intake-bench.ts';

describe('the way of losses', () => {
  it('judges what is lost within 300 ms of quiet as one', async () => {
    const bench = await new IntakeBench().fill().start();
    for (const name of ['s0', 's1', 's2', 's3']) {
      await bench.lose(name);
      await bench.pass(250);
    }
    expect(bench.services).toEqual(SERVICES);
    expect(bench.held).toBeNull();
    await bench.pass(100);
    expect(bench.services).toEqual(SERVICES);
    expect(bench.held).toEqual(['service s0', 'service s1', 'service s2', 'service s3']);
  });

  it('lets a small loss through once the store is quiet, and no sooner', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0', 's1');
    await bench.pass(299);
    expect(bench.services).toEqual(SERVICES);
    await bench.pass(2);
    expect(bench.services).toEqual(without('s0', 's1'));
  });

  it('does not let other edits put off the judgement of a loss', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0');
    for (let edits = 0; edits < 3; edits++) {
      expect(bench.services).toEqual(SERVICES);
      await bench.pass(100);
      bench.store.put('config/services/s9', { vip: 'shop', match: { ports: ['9000'] }, _meta: { edits } });
      await bench.pass(0);
    }
    expect(bench.services).toEqual(without('s0'));
  });

  it('judges a recursive delete that takes many seconds as one', async () => {
    const reals = Array.from({ length: 100 }, (_, n) => `r${n}`);
    const bench = new IntakeBench().fill();
    reals.forEach((name, n) => bench.store.put(`config/services/s0/reals/${name}`, { address: `10.0.0.${n + 1}` }));
    await bench.start();
    for (const name of reals) {
      bench.store.remove(`config/services/s0/reals/${name}`);
      await bench.pass(280);
    }
    expect(Object.keys(bench.intake.accepted()?.services['s0']?.reals ?? {})).toHaveLength(100);
    await bench.pass(300);
    expect(bench.held).toHaveLength(100);
    expect(Object.keys(bench.intake.accepted()?.services['s0']?.reals ?? {})).toHaveLength(100);
  });

  it('keeps the settings of the agent while a recursive delete may have begun, and holds the loss of its BGP', async () => {
    const bench = new IntakeBench().fill();
    const bgp = { asn: 65_010, routerId: '192.0.2.1' };
    bench.store.put('config/agents/_default', { bgp, verifyInterval: '7s' });
    await bench.start();
    bench.store.remove('config/agents/_default');
    await bench.pass(0);
    expect(bench.intake.accepted()?.agent).toMatchObject({ bgp: { asn: 65_010 }, verifyIntervalMs: 7_000 });
    await bench.pass(310);
    expect(bench.intake.accepted()?.agent).toMatchObject({ bgp: { asn: 65_010 }, verifyIntervalMs: 7_000 });
    expect(bench.intake.view().hold?.why).toBe(
      'the settings that this agent announces with are gone (config/agents/_default)',
    );
    bench.store.put('config/agents/_default', { bgp });
    await bench.pass(0);
    expect(bench.intake.view().hold).toBeNull();
    expect(bench.intake.accepted()?.agent.verifyIntervalMs).not.toBe(7_000);
  });

  it('lets one of two records of settings go once the store is quiet', async () => {
    const bench = new IntakeBench().fill();
    bench.store.put('config/agents/_default', { verifyInterval: '7s' });
    await bench.start();
    bench.store.remove('config/agents/_default');
    await bench.pass(299);
    expect(bench.intake.accepted()?.agent.verifyIntervalMs).toBe(7_000);
    await bench.pass(2);
    expect(bench.intake.accepted()?.agent.verifyIntervalMs).not.toBe(7_000);
    expect(bench.held).toBeNull();
  });

  it('waits no longer than 30 s for losses that never end', async () => {
    const reals = Array.from({ length: 110 }, (_, n) => `config/services/s0/reals/r${n}`);
    const bench = new IntakeBench().fill();
    bench.store.put('config/agents/lb1', { limits: { maxDeleteShare: 1 } });
    reals.forEach((path, n) => bench.store.put(path, { address: `10.0.0.${n + 1}` }));
    await bench.start();
    const left = (): number => Object.keys(bench.intake.accepted()?.services['s0']?.reals ?? {}).length;
    for (const path of reals.slice(0, 101)) {
      bench.store.remove(path);
      await bench.pass(295);
    }
    expect(left()).toBe(110);
    await bench.pass(300);
    expect(left()).toBe(9);
  });

  it('judges losses by the limits of before them, however often it looks at what widened the limits', async () => {
    const bench = await new IntakeBench().fill().start();
    const wide = { limits: { maxDeleteShare: 1 }, verifyInterval: '7s' };
    bench.store.put('config/agents/lb1', wide);
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(310);
    expect(bench.held).toHaveLength(4);
    bench.store.put('config/services/later', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(310);
    expect(bench.held).toHaveLength(4);
    expect(bench.services).toEqual(['later', ...SERVICES]);
    expect(bench.intake.accepted()?.agent.verifyIntervalMs).toBe(7_000);
    bench.fill().store.put('config/agents/lb1', wide);
    await bench.pass(0);
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(310);
    expect(bench.held).toBeNull();
  });

  it('does not age losses when the wall clock jumps ahead', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0', 's1', 's2');
    await bench.pass(400);
    bench.clock.jumpWallClock(3_600_000);
    await bench.lose('s3');
    await bench.pass(400);
    expect(bench.held).toEqual(['service s3']);
  });

  it('lets edits pass while losses are gathered and while they are held', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    bench.store.put('config/services/gathered', { vip: 'shop', match: { ports: ['81'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(['gathered', ...SERVICES]);
    await bench.pass(300);
    bench.store.put('config/services/held', { vip: 'shop', match: { ports: ['82'] } });
    await bench.pass(0);
    expect(bench.services).toEqual(['gathered', 'held', ...SERVICES]);
    expect(bench.held).toHaveLength(4);
  });

  it('takes a loss for none when it is back before the store is quiet', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose(...SERVICES);
    await bench.pass(200);
    bench.fill();
    await bench.pass(5_000);
    expect(bench.held).toBeNull();
    expect(bench.log.about('is held')).toEqual([]);
    expect(bench.services).toEqual(SERVICES);
  });

  it('announces a hold once, and its end', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(400);
    bench.source.notifyChange();
    await bench.pass(5_000);
    expect(bench.log.about('a change is held')).toHaveLength(1);
    bench.fill();
    await bench.pass(400);
    expect(bench.log.about('the hold is over')).toHaveLength(1);
    expect(bench.services).toEqual(SERVICES);
  });

  it('releases the revision that is approved', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(400);
    const revision = bench.intake.view().hold?.revision ?? '';
    expect(revision).toMatch(/^sha256:/);
    bench.store.put(`config/approvals/${revision}`, { by: 'ana', why: 'they are gone for good' });
    await bench.pass(400);
    expect(bench.intake.view().problems).toEqual([]);
    expect(bench.held).toBeNull();
    expect(bench.services).toEqual(without('s0', 's1', 's2', 's3'));
    expect(bench.intake.accepted()?.revision).toBe(revision);
  });

  it('does not release another revision than the approved one', async () => {
    const bench = await new IntakeBench().fill().start();
    await bench.lose('s0', 's1', 's2', 's3');
    await bench.pass(400);
    const revision = bench.intake.view().hold?.revision ?? '';
    await bench.lose('s4');
    bench.store.put(`config/approvals/${revision}`, { by: 'ana', why: 'four of them' });
    await bench.pass(5_000);
    expect(bench.held).toHaveLength(5);
    expect(bench.services).toEqual(SERVICES);
  });
});
