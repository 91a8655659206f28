import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Drain } from '../../../src/agent/policy/desired-state.ts';
import { loweredWeight, rampedWeight } from '../../../src/agent/policy/ramp.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { kernelState } from '../../fakes/model-kernel.ts';
import { runs } from '../../fakes/property.ts';

const KEY = 'tcp|192.0.2.10|80';
const A = '10.0.0.1';
const B = '10.0.0.2';
const UP = { [A]: 'up', [B]: 'up' } as const;
const FULL = { [KEY]: { '10.0.0.1|80': 10, '10.0.0.2|80': 10 } };

function web(overMs: number, drains: Record<string, Drain> = {}) {
  return configuration([service('web', [real('a', A), real('b', B)], { drain: { overMs, timeoutMs: null } })], {
    drains,
  });
}

const wish = (target: Drain['target']): Record<string, Drain> => ({
  chg: { name: 'chg', target, by: 'ana', why: 'kernel', until: null, onExpiry: 'undrain' },
});
const ofA = wish({ kind: 'real', service: 'web', real: 'a' });

/** A service in full swing. */
function running(): Decisions {
  const decisions = new Decisions();
  decisions.decide(web(0), UP);
  decisions.actual = kernelState(FULL);
  decisions.wait(60_000).decide(web(0), UP);
  return decisions;
}

/** The weight of `a`, "out" where it is not wanted in the kernel. */
function weightOf(decisions: Decisions): number | 'out' {
  const weight = /10\.0\.0\.1\|80 (\d+)/.exec(decisions.weights())?.[1];
  return weight === undefined ? 'out' : Number(weight);
}

describe('a real that is drained', () => {
  it('goes to 0 at once, and leaves', () => {
    const decisions = running();
    decisions.decide(web(0, ofA), UP);
    expect(decisions.weights()).toBe('10.0.0.2|80 10');
    expect(decisions.out()).toBe('10.0.0.1|80 quiesce');
    expect(decisions.real('a')).toMatchObject({ weight: 0, state: 'drain', drainedSince: decisions.now });
  });

  it('steps down where its service says so, by the monotonic clock', () => {
    const decisions = running();
    const weights = [];
    for (let second = 0; second <= 10; second++) {
      const { nextChangeMs } = decisions.decide(web(10_000, ofA), UP);
      weights.push(weightOf(decisions));
      expect(nextChangeMs).toBe(second < 10 ? 1_000 : null);
      // The wall clock jumps about, which changes nothing.
      decisions.wait(1_000).now += second % 2 === 0 ? 3_600_000 : -7_200_000;
    }
    expect(weights).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 'out']);
  });

  it('says how far it is', () => {
    const decisions = running();
    decisions.decide(web(10_000, ofA), UP);
    decisions.wait(4_000).decide(web(10_000, ofA), UP);
    expect(decisions.real('a').reason).toBe('drained by ana: kernel (chg); stepping down: 60 % of 10');
  });

  it('steps down from the weight that it has', () => {
    const decisions = running();
    decisions.actual = kernelState({ [KEY]: { '10.0.0.1|80': 4, '10.0.0.2|80': 10 } });
    decisions.decide(web(10_000, ofA), UP);
    expect(weightOf(decisions)).toBe(4);
    decisions.wait(5_000).decide(web(10_000, ofA), UP);
    expect(weightOf(decisions)).toBe(2);
  });

  it('goes at once when it turns out to be down on the way', () => {
    const decisions = running();
    decisions.decide(web(10_000, ofA), UP);
    decisions.wait(2_000).decide(web(10_000, ofA), { ...UP, [A]: 'down' });
    expect(weightOf(decisions)).toBe('out');
  });

  it.each([
    ['is at 0 there already', { '10.0.0.1|80': 0, '10.0.0.2|80': 10 }],
    ['is out of it already', { '10.0.0.2|80': 10 }],
  ])('never comes back into the kernel after a restart that forgot it, when it %s', (_how, weights) => {
    const decisions = new Decisions();
    decisions.actual = kernelState({ [KEY]: weights });
    decisions.decide(web(10_000, ofA), UP);
    expect(weightOf(decisions)).toBe('out');
  });

  it('goes on where it was after a restart that remembers', () => {
    const decisions = running();
    decisions.decide(web(10_000, ofA), UP);
    // `Decisions` carries the memory as JSON, as the health file does.
    decisions.wait(6_000).decide(web(10_000, ofA), UP);
    expect(weightOf(decisions)).toBe(4);
    expect(decisions.real('a').drainedSince).toBe(decisions.now - 6_000);
  });

  it('comes back after a restart that knows nothing, though it has no verdict and the kernel its weight of 0', () => {
    const decisions = new Decisions();
    const trusting = (drains: Record<string, Drain>) => {
      const health = { rise: 1, fall: 2, initial: 'up', whenDown: 'quiesce', floor: 0, slowStartMs: 0 } as const;
      return configuration([service('web', [real('a', A), real('b', B)], { health })], { drains });
    };
    decisions.actual = kernelState({ [KEY]: { '10.0.0.1|80': 0, '10.0.0.2|80': 10 } });
    decisions.decide(trusting(ofA));
    expect(decisions.out()).toBe('10.0.0.1|80 quiesce');
    decisions.wait(1_000).decide(trusting({}));
    expect(decisions.weights()).toBe('10.0.0.1|80 10, 10.0.0.2|80 10');
  });

  it('begins nothing while the kernel cannot be read', () => {
    const decisions = running();
    decisions.actual = null;
    decisions.decide(web(10_000, ofA), UP);
    expect(decisions.real('a').drainedSince).toBeNull();
    decisions.actual = kernelState(FULL);
    decisions.wait(1_000).decide(web(10_000, ofA), UP);
    expect([weightOf(decisions), decisions.real('a').drainedSince]).toEqual([10, decisions.now]);
  });

  it('comes back as a real that comes up', () => {
    const decisions = running();
    decisions.decide(web(0, ofA), UP);
    const slow = web(0);
    const health = {
      rise: 1,
      fall: 2,
      initial: 'unknown',
      whenDown: 'quiesce',
      floor: 0,
      slowStartMs: 10_000,
    } as const;
    const base = slow.services['web'];
    if (base === undefined) throw new Error('there is no service');
    const desired = { ...slow, services: { web: { ...base, health } } };
    decisions.wait(1_000).decide(desired, UP);
    expect(weightOf(decisions)).toBe(1);
    decisions.wait(5_000).decide(desired, UP);
    expect(weightOf(decisions)).toBe(5);
  });
});

describe.each([
  ['a VIP', wish({ kind: 'vip', vip: 'shop' }), 'its VIP is drained by ana: kernel (chg)'],
  ['the agent', wish({ kind: 'agent', agent: 'lb1' }), 'this agent is drained by ana: kernel (chg)'],
])('a drain of %s', (_what, drains, reason) => {
  it('forbids the routes at once, and the weights follow when that has spread', () => {
    const decisions = running();
    const { nextChangeMs } = decisions.decide(web(0, drains), UP);
    expect(decisions.effective.vips.get('shop')?.withdrawn).not.toBeNull();
    expect(decisions.service()).toMatchObject({ state: 'drain', serving: false, sorry: false, stateReason: reason });
    expect([weightOf(decisions), nextChangeMs]).toEqual([10, 10_000]);
    expect(decisions.real('a').reason).toBe(`${reason}; the routes go first`);
    decisions.wait(9_999).decide(web(0, drains), UP);
    expect(weightOf(decisions)).toBe(10);
    decisions.wait(1).decide(web(0, drains), UP);
    expect(decisions.out()).toBe('10.0.0.1|80 quiesce, 10.0.0.2|80 quiesce');
  });

  it('lets a real go at once that is down', () => {
    const decisions = running();
    decisions.decide(web(0, drains), { ...UP, [A]: 'down' });
    expect(decisions.weights()).toBe('10.0.0.2|80 10');
  });
});

it('a drain of another agent or VIP changes nothing', () => {
  for (const target of [
    { kind: 'agent', agent: 'lb2' },
    { kind: 'vip', vip: 'other' },
  ] as const) {
    const decisions = running();
    decisions.decide(web(0, wish(target)), UP);
    expect(decisions.service().state).toBe('enabled');
    expect(weightOf(decisions)).toBe(10);
  }
});

describe('ramps, whatever their weight and length', () => {
  const weight = fc.integer({ min: 0, max: 2_147_483_647 });
  const length = fc.integer({ min: 0, max: 3_600_000 });

  it('climb and fall without going back, within their bounds, and end in time', () => {
    fc.assert(
      fc.property(weight, length, (full, total) => {
        let last = { up: 0, down: full };
        let at = 0;
        for (let step = 0; ; step++) {
          const up = rampedWeight(full, at, total);
          const down = loweredWeight(full, at, total);
          expect(up.weight).toBeGreaterThanOrEqual(last.up);
          expect(down.weight).toBeLessThanOrEqual(last.down);
          for (const each of [up.weight, down.weight]) {
            expect(Number.isInteger(each) && each >= 0 && each <= full).toBe(true);
          }
          if (full > 0 && at < total) expect(down.weight).toBeGreaterThan(0);
          last = { up: up.weight, down: down.weight };
          if (up.nextMs === null && down.nextMs === null) break;
          // It wakes for each step once, and no more often.
          expect(step).toBeLessThan(25);
          at += Math.min(up.nextMs ?? Infinity, down.nextMs ?? Infinity);
        }
        expect(last).toEqual({ up: full, down: 0 });
        expect(at).toBeLessThanOrEqual(total + 20);
      }),
      runs(200),
    );
  });

  it('take a clock that stands before their beginning for the beginning', () => {
    fc.assert(
      fc.property(weight, length, fc.integer({ min: 1, max: 1e9 }), (full, total, early) => {
        expect(rampedWeight(full, -early, total)).toEqual(rampedWeight(full, 0, total));
        if (full > 0) expect(loweredWeight(full, -early, total)).toEqual({ weight: full, nextMs: early, share: 1 });
      }),
      runs(100),
    );
  });
});
