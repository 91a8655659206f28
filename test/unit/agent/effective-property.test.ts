import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Desired, DesiredReal } from '../../../src/agent/policy/desired-state.ts';
import type { Effective } from '../../../src/agent/policy/effective-state.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { kernelState } from '../../fakes/model-kernel.ts';
import { runs } from '../../fakes/property.ts';

const KEY = 'tcp|192.0.2.10|80';
const REALS = 6;
const adminState = fc.constantFrom<DesiredReal['state'][]>('enabled', 'enabled', 'enabled', 'drain', 'disabled');
const weightOf = fc.constantFrom(0, 1, 10, 10, 100);
const verdict: fc.Arbitrary<VerdictState | null> = fc.constantFrom('up', 'up', 'down', 'down', 'unknown', null);

const desiredArbitrary = fc
  .record({
    reals: fc.array(fc.record({ state: adminState, weight: weightOf }), { minLength: 1, maxLength: REALS }),
    floor: fc.constantFrom(0, 0.1, 0.5, 1),
    whenDown: fc.constantFrom<('quiesce' | 'remove')[]>('quiesce', 'remove'),
    initial: fc.constantFrom<('unknown' | 'up')[]>('unknown', 'up'),
    sorry: fc.boolean(),
    quorum: fc.record({ value: fc.integer({ min: 1, max: 4 }), hysteresis: fc.nat({ max: 3 }) }),
  })
  .map(({ reals, floor, whenDown, initial, sorry, quorum }) => {
    const made = reals.map(({ state, weight }, index) => real(`r${index}`, `10.0.0.${index + 1}`, { state, weight }));
    const web = service('web', made, {
      health: { rise: 1, fall: 1, initial, whenDown, floor, slowStartMs: 0 },
      quorum: { unit: 'reals', ...quorum },
      sorry: sorry ? { address: '10.9.9.9' as IpAddress, port: null, forwarding: { method: 'nat' } } : null,
    });
    return configuration([web]);
  });

const passes = fc.array(fc.array(verdict, { minLength: REALS, maxLength: REALS }), { minLength: 1, maxLength: 8 });
const kernelWeights = fc.dictionary(
  fc.integer({ min: 1, max: REALS }).map((n) => `10.0.0.${n}|80`),
  weightOf,
);

function statesOf(verdicts: readonly (VerdictState | null)[]): Record<string, VerdictState> {
  return Object.fromEntries(
    verdicts.flatMap((state, index) => (state === null ? [] : [[`10.0.0.${index + 1}`, state] as const])),
  );
}

function weightsIn(effective: Effective): ReadonlyMap<string, number> {
  const wanted = effective.kernel.get(KEY as never);
  return new Map([...(wanted?.destinations ?? [])].map(([key, { destination }]) => [key, destination.weight]));
}

/** Every pass of every history, with what it decided. */
function eachPass(check: (decisions: Decisions, desired: Desired, states: Record<string, VerdictState>) => void): void {
  fc.assert(
    fc.property(desiredArbitrary, passes, kernelWeights, (desired, history, before) => {
      const decisions = new Decisions();
      decisions.actual = kernelState({ [KEY]: before });
      for (const verdicts of history) {
        const states = statesOf(verdicts);
        decisions.wait(1_000).decide(desired, states);
        check(decisions, desired, states);
      }
    }),
    runs(80),
  );
}

describe('whatever happened before', () => {
  it('what is disabled is out, and what is drained takes nothing new', () => {
    eachPass((decisions, desired) => {
      const weights = weightsIn(decisions.effective);
      for (const { name, address, state } of Object.values(desired.services['web']?.reals ?? {})) {
        if (state !== 'enabled') expect(weights.has(`${address}|80`)).toBe(false);
        expect(decisions.real(name).reason).not.toBe('');
      }
    });
  });

  it('nothing is both wanted and out', () => {
    eachPass(({ effective }) => {
      const wanted = effective.kernel.get(KEY as never);
      for (const key of wanted?.out.keys() ?? []) expect(wanted?.destinations.has(key)).toBe(false);
    });
  });

  it('a real that is down has traffic only as the floor keeps it', () => {
    eachPass((decisions, desired, states) => {
      for (const { name, address } of Object.values(desired.services['web']?.reals ?? {})) {
        const { weight, kept } = decisions.real(name);
        if (states[address] === 'down' && weight > 0) expect(kept).toBe(true);
        if (kept) expect(weight).toBeGreaterThan(0);
      }
    });
  });

  it('the pool is never below the floor, nor empty without need', () => {
    eachPass((decisions, desired, states) => {
      const web = desired.services['web'];
      const pooled = Object.values(web?.reals ?? {}).filter(({ state, weight }) => state === 'enabled' && weight > 0);
      const judged = pooled.every(({ address }) => states[address] === 'up' || states[address] === 'down');
      if (web === undefined || !judged || decisions.service().sorry) return;
      const inPool = [...weightsIn(decisions.effective).values()].filter((weight) => weight > 0).length;
      const up = pooled.filter(({ address }) => states[address] === 'up').length;
      expect(inPool).toBe(Math.max(up, Math.ceil(web.health.floor * pooled.length - 1e-9)));
    });
  });

  it('while the sorry server has the traffic, no real has any, and the quorum is lost', () => {
    eachPass((decisions) => {
      if (!decisions.service().sorry) return;
      expect(decisions.service().quorum.state).toBe('lost');
      const loaded = [...weightsIn(decisions.effective)].filter(([, weight]) => weight > 0);
      expect(loaded).toEqual([['10.9.9.9|80', 1]]);
    });
  });

  it('the same again decides the same, and unknown decides nothing', () => {
    eachPass((decisions, desired, states) => {
      const weights = weightsIn(decisions.effective);
      const quorum = decisions.service().quorum;
      decisions.decide(desired, states);
      expect(weightsIn(decisions.effective)).toEqual(weights);
      expect(decisions.service().quorum).toEqual(quorum);
      const unknown = Object.fromEntries(Object.keys(states).map((address) => [address, 'unknown' as const]));
      decisions.decide(desired, unknown);
      expect(weightsIn(decisions.effective)).toEqual(weights);
    });
  });
});
