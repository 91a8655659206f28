import { describe, expect, it } from 'vitest';
import type { DesiredHealth, DesiredReal, Drain } from '../../../src/agent/policy/desired-state.ts';
import type { DataplaneState, DestinationKey, ServiceKey } from '../../../src/ipvs/dataplane.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { kernelState } from '../../fakes/model-kernel.ts';
import { configuration, ports, real, service, vip } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';

const A = '10.0.0.1';
const B = '10.0.0.2';
const C = '10.0.0.3';
const a = real('a', A);
const b = real('b', B);
const c = real('c', C);
const policy: DesiredHealth = {
  rise: 1,
  fall: 2,
  initial: 'unknown',
  whenDown: 'quiesce',
  floor: 0,
  slowStartMs: 0,
};
const web = (reals: readonly DesiredReal[] = [a, b, c], fields: Parameters<typeof service>[2] = {}) =>
  configuration([service('web', reals, fields)]);
const health = (fields: Partial<DesiredHealth>) => ({ health: { ...policy, ...fields } });
const drain = (target: Drain['target'], fields: Partial<Drain> = {}): { drains: Record<string, Drain> } => ({
  drains: { chg: { name: 'chg', target, by: 'ana', why: 'kernel', until: null, onExpiry: 'undrain', ...fields } },
});
const inKernel = (weights: Readonly<Record<string, number>>): DataplaneState =>
  kernelState({ 'tcp|192.0.2.10|80': weights });

describe('verdicts become weights', () => {
  it('up has its weight, down has none and stays, not yet known has none', () => {
    const decisions = new Decisions();
    decisions.decide(web(), { [A]: 'up', [B]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 0, 10.0.0.3|80 0');
    expect(decisions.real('a').reason).toBe('up: ok: it is up');
    expect(decisions.real('b').reason).toBe('down: ok: it is down');
    expect(decisions.real('c').reason).toBe('no verdict yet: ok: not checked yet');
  });

  it('takes a down real out where the policy says so', () => {
    const decisions = new Decisions();
    decisions.decide(web([a, b], health({ whenDown: 'remove' })), { [A]: 'up', [B]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10');
    expect(decisions.out()).toBe('10.0.0.2|80 now');
  });

  it('unknown after a verdict changes nothing: down is proven, and so is up', () => {
    const decisions = new Decisions();
    decisions.decide(web(), { [A]: 'up', [B]: 'down', [C]: 'up' });
    decisions.decide(web(), { [A]: 'unknown', [B]: 'unknown' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 0, 10.0.0.3|80 10');
    expect(decisions.real('a')).toMatchObject({ verdict: { state: 'unknown' } });
    expect(decisions.real('a').reason).toBe('last known up; now unknown: ok: it is unknown');
    expect(decisions.service().quorum.state).toBe('held');
  });

  it('starts with traffic where the policy trusts', () => {
    const decisions = new Decisions();
    decisions.decide(web([a, b], health({ initial: 'up' })), { [B]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 0');
    expect(decisions.service().serving).toBe(true);
  });

  it('is up without checks', () => {
    const decisions = new Decisions();
    decisions.decide(web([real('a', A, { checks: [] })]));
    expect(decisions.real('a')).toMatchObject({ weight: 10, verdict: { state: 'up', cause: 'there are no checks' } });
    const { since } = decisions.real('a').verdict;
    decisions.wait(5_000).decide(web([real('a', A, { checks: [] })]));
    expect(decisions.real('a').verdict.since).toBe(since);
  });
});

describe('what is remembered', () => {
  const remembered = ({ memory }: Decisions) => memory.services['web']?.reals.map(({ key }) => key);

  it('is of reals that are wanted and not disabled: one that comes back has to be proven anew', () => {
    const decisions = new Decisions();
    decisions.decide(web(), { [A]: 'up', [B]: 'up', [C]: 'up' });
    decisions.decide(web(), { [A]: 'up', [B]: 'up', [C]: 'up' });
    expect(remembered(decisions)).toEqual(['10.0.0.1|', '10.0.0.2|', '10.0.0.3|']);
    decisions.decide(web([a, b]), { [A]: 'up', [B]: 'up' });
    expect(remembered(decisions)).toEqual(['10.0.0.1|', '10.0.0.2|']);
    decisions.decide(web([real('a', A, { state: 'disabled' }), b]), { [A]: 'up', [B]: 'up' });
    expect(remembered(decisions)).toEqual(['10.0.0.2|']);
    decisions.decide(web(), { [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 0, 10.0.0.2|80 10, 10.0.0.3|80 0');
  });
});

it('what is wanted is what the kernel has, the very same object, where both are equal, and else another', () => {
  const decisions = new Decisions();
  decisions.actual = inKernel({ '10.0.0.1|80': 10, '10.0.0.2|80': 9 });
  const { kernel } = decisions.decide(web([a, b]), { [A]: 'up', [B]: 'up' });
  const key = 'tcp|192.0.2.10|80' as ServiceKey;
  const wanted = kernel.get(key)?.destinations;
  const held = decisions.actual.get(key)?.destinations;
  const [same, other] = (['10.0.0.1|80', '10.0.0.2|80'] as DestinationKey[]).map((one) => [
    wanted?.get(one)?.destination,
    held?.get(one)?.destination,
  ]);
  expect(same?.[0]).toBe(same?.[1]);
  expect([other?.[0]?.weight, other?.[1]?.weight]).toEqual([10, 9]);
});

describe('a restart that knows nothing', () => {
  it('leaves reals at the weight that the kernel has, until their verdict', () => {
    const decisions = new Decisions();
    decisions.actual = inKernel({ '10.0.0.1|80': 7, '10.0.0.2|80': 0 });
    decisions.decide(web());
    expect(decisions.weights()).toBe('10.0.0.1|80 7, 10.0.0.2|80 0, 10.0.0.3|80 0');
    expect(decisions.service().quorum.state).toBe('held');
    expect(decisions.real('a')).toMatchObject({
      weight: 7,
      reason: 'no verdict yet: ok: not checked yet; weight 7 stays as it is',
    });
    decisions.decide(web(), { [A]: 'up', [B]: 'up', [C]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10, 10.0.0.3|80 0');
  });

  it('writes nothing, whatever the policy and whoever has the traffic', () => {
    const sorry = { address: '10.9.9.9' as IpAddress, port: null, forwarding: { method: 'nat' } as const };
    const trusting = web([a, b], { ...health({ initial: 'up', whenDown: 'remove' }), sorry });
    for (const weights of [
      { '10.0.0.1|80': 0, '10.0.0.2|80': 0, '10.9.9.9|80': 1 },
      { '10.0.0.1|80': 3, '10.0.0.2|80': 0 },
    ]) {
      const decisions = new Decisions();
      decisions.actual = inKernel(weights);
      decisions.decide(trusting);
      expect(decisions.weights()).toBe(
        Object.entries(weights)
          .map((entry) => entry.join(' '))
          .join(', '),
      );
    }
  });

  it('settles on nothing while the kernel cannot be read', () => {
    const decisions = new Decisions();
    decisions.decide(web([a]));
    decisions.actual = inKernel({ '10.0.0.1|80': 7 });
    decisions.decide(web([a]));
    expect(decisions.weights()).toBe('10.0.0.1|80 7');
  });

  it('brings back by the policy what is drained and undrained before its verdict', () => {
    const decisions = new Decisions();
    decisions.actual = kernelState({});
    const trusting = health({ initial: 'up' });
    decisions.decide(web([a], trusting));
    decisions.actual = inKernel({ '10.0.0.1|80': 10 });
    decisions.decide(web([{ ...a, state: 'drain' }], trusting));
    decisions.actual = inKernel({ '10.0.0.1|80': 0 });
    decisions.decide(web([a], trusting));
    expect(decisions.weights()).toBe('10.0.0.1|80 10');
  });

  it('does not ramp up what was in', () => {
    const decisions = new Decisions();
    decisions.actual = inKernel({ '10.0.0.1|80': 10 });
    const slow = web([a, b], health({ slowStartMs: 10_000 }));
    decisions.decide(slow);
    decisions.decide(slow, { [A]: 'up', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 1');
  });
});

describe('what operators wish', () => {
  it('goes before what checks say: disabled, then drained, then down', () => {
    const decisions = new Decisions();
    const reals = [real('a', A, { state: 'disabled' }), real('b', B, { state: 'drain' }), c];
    decisions.decide(
      { ...web(reals), ...drain({ kind: 'real', service: 'web', real: 'a' }) },
      { [B]: 'up', [C]: 'up' },
    );
    expect(decisions.weights()).toBe('10.0.0.3|80 10');
    expect(decisions.out()).toBe('10.0.0.1|80 quiesce, 10.0.0.2|80 quiesce');
    expect(decisions.real('a')).toMatchObject({ state: 'disabled', reason: 'disabled by its record' });
    expect(decisions.real('b')).toMatchObject({ state: 'drain', verdict: { state: 'up' } });
  });

  it('drains a real, and says who asked', () => {
    const decisions = new Decisions();
    decisions.decide(
      { ...web(), ...drain({ kind: 'real', service: 'web', real: 'b' }) },
      { [A]: 'up', [B]: 'up', [C]: 'up' },
    );
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.3|80 10');
    expect(decisions.out()).toBe('10.0.0.2|80 quiesce');
    expect(decisions.real('b').reason).toBe('drained by ana: kernel (chg)');
  });

  it('ends a drain at its time, or keeps it', () => {
    for (const [onExpiry, after] of [
      ['undrain', 10],
      ['keep', 0],
    ] as const) {
      const decisions = new Decisions();
      const until = decisions.now + 1_000;
      const drained = { ...web(), ...drain({ kind: 'real', service: 'web', real: 'a' }, { until, onExpiry }) };
      const { nextChangeMs } = decisions.decide(drained, { [A]: 'up' });
      expect(decisions.real('a').weight).toBe(0);
      expect(nextChangeMs).toBe(onExpiry === 'undrain' ? 1_000 : null);
      decisions.wait(1_000).decide(drained, { [A]: 'up' });
      expect(decisions.real('a').weight).toBe(after);
    }
  });

  it.each([
    ['its record', web(undefined, { state: 'drain' })],
    ['a drain', { ...web(), ...drain({ kind: 'service', service: 'web' }) }],
  ])('drains a service by %s: all of its reals leave, and it does not serve', (_name, desired) => {
    const decisions = new Decisions();
    decisions.decide(desired, { [A]: 'up', [B]: 'up', [C]: 'up' });
    expect(decisions.weights()).toBe('');
    expect(decisions.out()).toBe('10.0.0.1|80 quiesce, 10.0.0.2|80 quiesce, 10.0.0.3|80 quiesce');
    expect(decisions.service()).toMatchObject({ state: 'drain', serving: false, quorum: { state: 'lost' } });
  });

  it('keeps a disabled service out of the kernel, and its VIP off the interface', () => {
    const decisions = new Decisions();
    decisions.decide(web(undefined, { state: 'disabled' }), {});
    expect(decisions.effective.kernel.size).toBe(0);
    expect(decisions.effective.vips.get('shop')).toMatchObject({ interface: null, services: [] });
    expect(decisions.real('a')).toMatchObject({ state: 'disabled', weight: 0 });
  });

  it('withdraws a VIP that is silenced or drained, or of an agent that is', () => {
    const reason = (desired: Parameters<Decisions['decide']>[0]) =>
      new Decisions().decide(desired).vips.get('shop')?.withdrawn;
    const silenced = { by: 'ana', why: 'CHG-1' };
    const bgp = configuration([]).agent.bgp;
    expect(reason(web())).toBeNull();
    expect(reason({ ...web(), vips: { shop: vip('shop', ['192.0.2.10'], { silenced }) } })).toBe(
      'silenced by ana: CHG-1',
    );
    expect(reason({ ...web(), ...drain({ kind: 'vip', vip: 'shop' }) })).toBe('drained by ana: kernel (chg)');
    expect(reason({ ...web(), ...drain({ kind: 'agent', agent: 'lb1' }) })).toBe(
      'this agent is drained by ana: kernel (chg)',
    );
    expect(reason({ ...web(), ...drain({ kind: 'agent', agent: 'lb2' }) })).toBeNull();
    const agent = { ...web().agent, bgp: bgp === null ? null : { ...bgp, silenced } };
    expect(reason({ ...web(), agent })).toBe('this agent is silenced by ana: CHG-1');
  });
});

describe('floor', () => {
  const half = web(undefined, health({ floor: 0.5, whenDown: 'remove' }));

  it('keeps failing reals in, and says which', () => {
    const decisions = new Decisions();
    decisions.decide(half, { [A]: 'up', [B]: 'up', [C]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
    decisions.wait(1).decide(half, { [A]: 'down', [B]: 'up', [C]: 'down' });
    expect(decisions.service().reals.get('a')).toMatchObject({ kept: true, weight: 10 });
    expect(decisions.real('a').reason).toBe('kept by the floor, though ok: it is down');
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
  });

  it('keeps the same ones while nothing better comes', () => {
    const decisions = new Decisions();
    decisions.decide(half, { [A]: 'down', [B]: 'down', [C]: 'down' });
    const first = decisions.weights();
    for (let round = 0; round < 3; round++) {
      decisions.wait(1_000).decide(half, { [A]: 'down', [B]: 'down', [C]: 'down' });
      expect(decisions.weights()).toBe(first);
    }
  });

  it('is of what is pooled: disabled, drained and weightless reals do not count', () => {
    const decisions = new Decisions();
    const reals = [a, real('b', B, { state: 'drain' }), real('c', C, { weight: 0 })];
    decisions.decide(web(reals, health({ floor: 0.5 })), { [A]: 'down', [B]: 'up', [C]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.3|80 0');
  });
});

describe('slow start', () => {
  it('ramps on the monotonic clock, and does not count for the quorum', () => {
    const decisions = new Decisions();
    const slow = web([a, b], {
      ...health({ slowStartMs: 10_000 }),
      quorum: { unit: 'weight', value: 20, hysteresis: 0 },
    });
    decisions.decide(slow, { [A]: 'up', [B]: 'up' });
    decisions.wait(10_000).decide(slow, { [A]: 'up', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
    decisions.decide(slow, { [A]: 'up', [B]: 'down' });
    expect(decisions.service().quorum.state).toBe('lost');
    decisions.wait(60_000).decide(slow, { [A]: 'up', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 1');
    expect(decisions.service().quorum.state).toBe('held');
    expect(decisions.effective.nextChangeMs).toBe(1_000);
    // A jump of the wall clock moves no ramp.
    decisions.now += 3_600_000;
    decisions.monotonic += 5_000;
    decisions.decide(slow, { [A]: 'up', [B]: 'up' });
    expect(decisions.real('b')).toMatchObject({ weight: 5, reason: 'ramping up: 50 % of 10' });
  });
});

describe('sorry server', () => {
  const sorry = { address: '10.9.9.9' as IpAddress, port: null, forwarding: { method: 'nat' } as const };
  const shop = web([a, b], { sorry, quorum: { unit: 'reals', value: 2, hysteresis: 0 } });

  it('takes the traffic while the quorum is lost, and leaves when the reals are back', () => {
    const decisions = new Decisions();
    decisions.decide(shop, { [A]: 'up', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
    decisions.decide(shop, { [A]: 'up', [B]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.1|80 0, 10.0.0.2|80 0, 10.9.9.9|80 1');
    expect(decisions.service()).toMatchObject({ sorry: true, serving: false });
    expect(decisions.real('a').reason).toBe('the quorum is lost: the sorry server has the traffic');
    decisions.decide(shop, { [A]: 'up', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
    expect(decisions.out()).toBe('10.9.9.9|80 quiesce');
  });

  it('waits for the first verdicts, and then for no new real', () => {
    const decisions = new Decisions();
    decisions.decide(shop);
    expect(decisions.service().sorry).toBe(false);
    decisions.decide(shop, { [A]: 'down', [B]: 'down' });
    expect(decisions.service().sorry).toBe(true);
    const grown = web([a, b, c], { sorry, quorum: { unit: 'reals', value: 2, hysteresis: 0 } });
    decisions.decide(grown, { [A]: 'down', [B]: 'down' });
    expect(decisions.service().sorry).toBe(true);
  });

  it('may be one of the reals', () => {
    const own = web([a, b], {
      sorry: { ...sorry, address: A as IpAddress },
      quorum: { unit: 'reals', value: 2, hysteresis: 0 },
    });
    const decisions = new Decisions();
    decisions.decide(own, { [A]: 'down', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 1, 10.0.0.2|80 0');
    decisions.decide(own, { [A]: 'up', [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
    expect(decisions.out()).toBe('');
  });
});

describe('identities', () => {
  it('a new name loses neither verdict nor quorum', () => {
    const strict = { quorum: { unit: 'reals', value: 2, hysteresis: 1 } } as const;
    const decisions = new Decisions();
    decisions.decide(web([a, b, c], strict), { [A]: 'up', [B]: 'up', [C]: 'up' });
    decisions.decide(web([a, b, c], strict), { [A]: 'up', [B]: 'down', [C]: 'down' });
    expect(decisions.service().quorum).toMatchObject({ state: 'held', cause: '1 real is up; lost below 1' });
    const renamed = configuration([service('shop', [real('x', A), real('y', B), real('z', C)], strict)]);
    decisions.decide(renamed);
    expect(decisions.service('shop').quorum.state).toBe('held');
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 0, 10.0.0.3|80 0');
  });

  it('a new address inherits no verdict', () => {
    const decisions = new Decisions();
    decisions.decide(web([a, b]), { [A]: 'up', [B]: 'up' });
    decisions.decide(web([real('a', C), b]), { [B]: 'up' });
    expect(decisions.weights()).toBe('10.0.0.3|80 0, 10.0.0.2|80 10');
    expect(decisions.effective.kernel.get('tcp|192.0.2.10|80' as never)?.pending).toBe(true);
  });

  it('is expanded over addresses and ports, reals matched by family', () => {
    const decisions = new Decisions();
    const desired = configuration([service('web', [a, real('six', '2001:db8::1')], { match: ports(80, 443) })], {
      vips: [vip('shop', ['192.0.2.10', '2001:db8::10'])],
    });
    decisions.decide(desired, { [A]: 'up', '2001:db8::1': 'up' });
    expect([...decisions.effective.kernel.keys()]).toEqual([
      'tcp|192.0.2.10|80',
      'tcp|192.0.2.10|443',
      'tcp|2001:db8::10|80',
      'tcp|2001:db8::10|443',
    ]);
    expect(decisions.weights('tcp|192.0.2.10|443')).toBe('10.0.0.1|443 10');
    expect(decisions.weights('tcp|2001:db8::10|80')).toBe('2001:db8::1|80 10');
  });
});
