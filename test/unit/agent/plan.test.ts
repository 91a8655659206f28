import { describe, expect, it } from 'vitest';
import type { Effective } from '../../../src/agent/policy/effective-state.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import { applyToState } from '../../../src/agent/policy/kernel-state.ts';
import { plan } from '../../../src/agent/policy/plan.ts';
import type { PlanInput, PlanResult } from '../../../src/agent/policy/plan.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import type { DataplaneState } from '../../../src/ipvs/dataplane.ts';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { kernelState, opText } from '../../fakes/model-kernel.ts';
import type { Weights } from '../../fakes/model-kernel.ts';

const WEB = 'tcp|192.0.2.10|80';
const A = '10.0.0.1|80';
const B = '10.0.0.2|80';
const C = '10.0.0.3|80';
const a = real('a', '10.0.0.1');
const b = real('b', '10.0.0.2');
const c = real('c', '10.0.0.3');
const NOW = 1_000_000;
const DRAIN_MS = 60_000;

/** What is effective when all reals but those named are up. */
function effectiveOf(desired: Desired, states: Record<string, VerdictState> = {}): Effective {
  const up = { '10.0.0.1': 'up', '10.0.0.2': 'up', '10.0.0.3': 'up' } as const;
  return new Decisions().decide(desired, { ...up, ...states });
}

const web = (...reals: Parameters<typeof service>[1]) => effectiveOf(configuration([service('web', reals)]));

function planned(effective: Effective, actual: DataplaneState, input: Partial<PlanInput> = {}): PlanResult {
  return plan({
    effective,
    actual,
    activityAt: NOW,
    journal: emptyJournal,
    previous: null,
    drainTimeoutMs: DRAIN_MS,
    now: NOW,
    ...input,
  });
}

const ops = (result: PlanResult): string[] => result.ops.map(opText);

/** A journal in which these services are ours. */
const owning = (...keys: readonly string[]): Journal => ({
  ...emptyJournal,
  services: Object.fromEntries(keys.map((key) => [key, { service: 'web', leaving: null, destinations: {} }])),
});

/** A picture in which one destination has connections. */
function busy(weights: Weights, destination: string, count = 1): DataplaneState {
  const state = kernelState(weights);
  return new Map(
    [...state].map(([key, one]) => {
      const destinations = [...one.destinations].map(([name, there]) => {
        const activity = name === destination ? { ...there.activity, inactiveConnections: count } : there.activity;
        return [name, { ...there, activity }] as const;
      });
      return [key, { ...one, destinations: new Map(destinations) }];
    }),
  );
}

describe('a plan', () => {
  it('makes what is not there: service first, then its reals', () => {
    const result = planned(web(a, b), kernelState({}));
    expect(ops(result)).toEqual([`add ${WEB}`, `add ${WEB} ${A} 10`, `add ${WEB} ${B} 10`]);
    expect(Object.keys(result.journal.services)).toEqual([WEB]);
  });

  it('adopts what is there as it should be, and writes nothing', () => {
    const result = planned(web(a, b), kernelState({ [WEB]: { [A]: 10, [B]: 10 } }));
    expect(result.ops).toEqual([]);
    expect(result.adopted).toEqual([WEB]);
    expect(Object.keys(result.journal.services)).toEqual([WEB]);
    const again = planned(web(a, b), kernelState({ [WEB]: { [A]: 10, [B]: 10 } }), { journal: result.journal });
    expect(again.journal).toBe(result.journal);
    expect(again.adopted).toEqual([]);
  });

  it('changes only what differs, in place', () => {
    const desired = configuration([
      service('web', [a, { ...b, forwarding: { method: 'direct' } }], { scheduler: 'rr' }),
    ]);
    const result = planned(effectiveOf(desired), kernelState({ [WEB]: { [A]: 7, [B]: 10 } }));
    expect(ops(result)).toEqual([`edit ${WEB}`, `edit ${WEB} ${A} 10`, `edit ${WEB} ${B} 10`]);
  });

  it('takes "local" for whatever forwarding is wanted, as the kernel does', () => {
    const state = kernelState({ [WEB]: { [A]: 10 } });
    const there = state.get(WEB as never);
    const one = there?.destinations.get(A as never);
    if (there === undefined || one === undefined) throw new Error('the state is not as built');
    const local = { ...one, destination: { ...one.destination, forwarding: { method: 'local' } as const } };
    const actual = new Map([[WEB, { ...there, destinations: new Map([[A, local]]) }]]) as unknown;
    expect(planned(web(a), actual as DataplaneState).ops).toEqual([]);
  });

  it('leaves foreign services alone and lists them', () => {
    const foreign = 'tcp|198.51.100.1|22';
    const result = planned(web(a), kernelState({ [WEB]: { [A]: 10 }, [foreign]: { [B]: 1 } }), {
      journal: owning(WEB),
    });
    expect(result).toMatchObject({ ops: [], foreign: [foreign] });
  });

  it('raises before it lowers, and adds before it deletes', () => {
    const states = { '10.0.0.1': 'down' } as const;
    const effective = effectiveOf(configuration([service('web', [a, b, c])]), states);
    const result = planned(effective, kernelState({ [WEB]: { [A]: 10, [B]: 0 } }), { journal: owning(WEB) });
    expect(ops(result)).toEqual([`add ${WEB} ${C} 10`, `edit ${WEB} ${B} 10`, `edit ${WEB} ${A} 0`]);
  });

  it('mends what somebody took away', () => {
    const result = planned(web(a, b), kernelState({ [WEB]: { [A]: 10 } }), { journal: owning(WEB) });
    expect(ops(result)).toEqual([`add ${WEB} ${B} 10`]);
  });
});

describe('a real that leaves', () => {
  const before = web(a, b);
  const after = web(a);
  const there = { [WEB]: { [A]: 10, [B]: 10 } };

  it('goes to weight 0 first, and is remembered by name until its deadline', () => {
    const result = planned(after, kernelState(there), { journal: owning(WEB), previous: before });
    expect(ops(result)).toEqual([`edit ${WEB} ${B} 0`]);
    expect(result.leaving).toEqual([
      {
        key: WEB,
        destination: B,
        service: 'web',
        real: 'b',
        weight: 0,
        since: NOW,
        until: NOW + DRAIN_MS,
        connections: { active: 0, inactive: 0, persistent: 0 },
      },
    ]);
    expect(result.nextChangeMs).toBe(DRAIN_MS);
  });

  it('stays while it has connections, goes when they are over, as seen after it was quiet', () => {
    const first = planned(after, kernelState(there), { journal: owning(WEB) });
    const quiet = { [WEB]: { [A]: 10, [B]: 0 } };
    const later = { journal: first.journal, now: NOW + 5_000 };
    expect(ops(planned(after, busy(quiet, B), { ...later, activityAt: NOW + 5_000 }))).toEqual([]);
    // Counted before the weight was 0: a connection may have come in between.
    expect(ops(planned(after, kernelState(quiet), { ...later, activityAt: NOW }))).toEqual([]);
    expect(ops(planned(after, kernelState(quiet), { ...later, activityAt: NOW + 1 }))).toEqual([`delete ${WEB} ${B}`]);
  });

  it('goes at its deadline, whatever is left, also after a restart', () => {
    const first = planned(after, kernelState(there), { journal: owning(WEB) });
    const journal = JSON.parse(JSON.stringify(first.journal)) as Journal;
    const quiet = busy({ [WEB]: { [A]: 10, [B]: 0 } }, B, 99);
    expect(ops(planned(after, quiet, { journal, now: NOW + DRAIN_MS - 1 }))).toEqual([]);
    expect(ops(planned(after, quiet, { journal, now: NOW + DRAIN_MS }))).toEqual([`delete ${WEB} ${B}`]);
  });

  it('comes back as if nothing had been', () => {
    const first = planned(after, kernelState(there), { journal: owning(WEB) });
    const quiet = busy({ [WEB]: { [A]: 10, [B]: 0 } }, B);
    const result = planned(before, quiet, { journal: first.journal });
    expect(ops(result)).toEqual([`edit ${WEB} ${B} 10`]);
    expect(result.journal.services[WEB]?.destinations).toEqual({});
    expect(result.leaving).toEqual([]);
  });

  it('waits no longer than from now on when the clock was set back', () => {
    const first = planned(after, kernelState(there), { journal: owning(WEB) });
    const result = planned(after, busy({ [WEB]: { [A]: 10, [B]: 0 } }, B), { journal: first.journal, now: 0 });
    expect(result.leaving[0]?.until).toBe(DRAIN_MS);
    const later = { journal: result.journal, now: 1_000 };
    expect(planned(after, busy({ [WEB]: { [A]: 10, [B]: 0 } }, B), later).leaving[0]?.until).toBe(DRAIN_MS);
  });

  it('has the deadline that is asked for now: later or earlier than when it began', () => {
    const first = planned(after, kernelState(there), { journal: owning(WEB) });
    const quiet = busy({ [WEB]: { [A]: 10, [B]: 0 } }, B);
    const at = (effective: Effective, now: number, drainTimeoutMs = DRAIN_MS) =>
      planned(effective, quiet, { journal: first.journal, now, drainTimeoutMs });
    const longer = at(after, NOW + 5_000, 2 * DRAIN_MS);
    expect(longer.leaving).toMatchObject([{ since: NOW, until: NOW + 2 * DRAIN_MS }]);
    expect(longer.journal.services[WEB]?.destinations[B]?.until).toBe(NOW + 2 * DRAIN_MS);
    expect(ops(at(after, NOW + DRAIN_MS, 2 * DRAIN_MS))).toEqual([]);
    const drain = { overMs: 0, timeoutMs: 3 * DRAIN_MS };
    const ofService = effectiveOf(configuration([service('web', [a], { drain })]));
    expect(at(ofService, NOW + 5_000).leaving).toMatchObject([{ until: NOW + 3 * DRAIN_MS }]);
    expect(ops(at(after, NOW + 5_000, 5_000))).toEqual([`delete ${WEB} ${B}`]);
  });

  it('because it is down and the policy takes it out goes at once', () => {
    const health = { rise: 1, fall: 1, initial: 'unknown', whenDown: 'remove', floor: 0, slowStartMs: 0 } as const;
    const effective = effectiveOf(configuration([service('web', [a, b], { health })]), { '10.0.0.2': 'down' });
    expect(ops(planned(effective, busy(there, B), { journal: owning(WEB) }))).toEqual([`delete ${WEB} ${B}`]);
  });

  it('because it is disabled goes quietly', () => {
    const effective = effectiveOf(configuration([service('web', [a, { ...b, state: 'disabled' }])]));
    expect(ops(planned(effective, busy(there, B), { journal: owning(WEB) }))).toEqual([`edit ${WEB} ${B} 0`]);
  });

  it('stands in for one that has no verdict yet, but not for ever', () => {
    const decisions = new Decisions();
    const replaced = decisions.decide(configuration([service('web', [real('a', '10.0.0.9')])]));
    const only = { [WEB]: { [A]: 10 } };
    const first = planned(replaced, kernelState(only), { journal: owning(WEB) });
    expect(ops(first)).toEqual([`add ${WEB} 10.0.0.9|80 0`]);
    expect(first.leaving).toMatchObject([{ destination: A, weight: 10 }]);
    const both = kernelState({ [WEB]: { [A]: 10, '10.0.0.9|80': 0 } });
    const late = { journal: first.journal, now: NOW + DRAIN_MS - 1 };
    expect(ops(planned(replaced, both, late))).toEqual([]);
    const judged = decisions.decide(configuration([service('web', [real('a', '10.0.0.9')])]), { '10.0.0.9': 'up' });
    expect(ops(planned(judged, both, late))).toEqual([`edit ${WEB} 10.0.0.9|80 10`, `edit ${WEB} ${A} 0`]);
    expect(ops(planned(replaced, both, { ...late, now: NOW + DRAIN_MS }))).toEqual([`delete ${WEB} ${A}`]);
  });

  it('stands in for half a minute where others are in', () => {
    const replaced = effectiveOf(configuration([service('web', [a, real('b', '10.0.0.9')])]));
    const three = busy({ [WEB]: { [A]: 10, [B]: 10, '10.0.0.9|80': 0 } }, B);
    const first = planned(replaced, three, { journal: owning(WEB) });
    expect([ops(first), first.nextChangeMs]).toEqual([[], 30_000]);
    expect(ops(planned(replaced, three, { journal: first.journal, now: NOW + 29_999 }))).toEqual([]);
    const after = planned(replaced, three, { journal: first.journal, now: NOW + 30_000 });
    expect(ops(after)).toEqual([`edit ${WEB} ${B} 0`]);
  });
});

describe('a service that leaves', () => {
  const nothing = effectiveOf(configuration([]));
  const there = { [WEB]: { [A]: 10, [B]: 0 } };

  it('goes quiet, keeps its connections, and is deleted when they are over', () => {
    const first = planned(nothing, busy(there, A), { journal: owning(WEB) });
    expect(ops(first)).toEqual([`edit ${WEB} ${A} 0`]);
    const quiet = { [WEB]: { [A]: 0, [B]: 0 } };
    const later = { journal: first.journal, now: NOW + 2, activityAt: NOW + 1 };
    const second = planned(nothing, busy(quiet, A), later);
    expect(ops(second)).toEqual([]);
    expect(second.journal).toBe(first.journal);
    expect(ops(planned(nothing, kernelState(quiet), later))).toEqual([`delete ${WEB}`]);
    expect(planned(nothing, kernelState({}), later).journal.services).toEqual({});
  });

  it('is deleted at its deadline, or at once where nothing may linger', () => {
    expect(ops(planned(nothing, busy(there, A), { journal: owning(WEB), drainTimeoutMs: 0 }))).toEqual([
      `delete ${WEB}`,
    ]);
  });

  it('has the time that its record gave it last, also after a restart; what it has not said is up to the agent', () => {
    const own = (timeoutMs: number | null, fields: Partial<Parameters<typeof service>[2]> = {}) =>
      effectiveOf(configuration([service('web', [a, b], { drain: { overMs: 0, timeoutMs }, ...fields })]));
    const quiet = busy({ [WEB]: { [A]: 0, [B]: 0 } }, A);
    const untilOf = (effective: Effective, journal: Journal, input: Partial<PlanInput> = {}) => {
      const result = planned(effective, quiet, { journal, now: NOW + 1, ...input });
      return { until: result.leaving[0]?.until, journal: JSON.parse(JSON.stringify(result.journal)) as Journal };
    };
    const wanted = planned(own(3 * DRAIN_MS), kernelState(there), { journal: owning(WEB) });
    const gone = untilOf(nothing, wanted.journal);
    expect(gone.until).toBe(NOW + 1 + 3 * DRAIN_MS);
    // Not the agent's, whatever that says meanwhile, unless nothing may linger.
    expect(untilOf(nothing, gone.journal, { drainTimeoutMs: 7 }).until).toBe(NOW + 1 + 3 * DRAIN_MS);
    expect(ops(planned(nothing, quiet, { journal: gone.journal, drainTimeoutMs: 0 }))).toEqual([`delete ${WEB}`]);
    expect(ops(planned(nothing, quiet, { journal: gone.journal, now: NOW + 3 * DRAIN_MS }))).toEqual([]);
    expect(ops(planned(nothing, quiet, { journal: gone.journal, now: NOW + 1 + 3 * DRAIN_MS }))).toEqual([
      `delete ${WEB}`,
    ]);
    // A record that is still there says what it says now, and when it is deleted then, that is what it said last.
    const disabled = untilOf(own(5 * DRAIN_MS, { state: 'disabled' }), gone.journal);
    expect(disabled.until).toBe(NOW + 1 + 5 * DRAIN_MS);
    expect(untilOf(nothing, disabled.journal).until).toBe(NOW + 1 + 5 * DRAIN_MS);
    const unsaid = untilOf(own(null, { match: ports(81) }), disabled.journal);
    expect(unsaid.until).toBe(NOW + 1 + DRAIN_MS);
    expect(untilOf(nothing, unsaid.journal).until).toBe(NOW + 1 + DRAIN_MS);
    // As by an agent that did not write it down.
    expect(untilOf(nothing, owning(WEB)).until).toBe(NOW + 1 + DRAIN_MS);
  });

  it('changes the journal when its time does, and else not', () => {
    const at = (timeoutMs: number | null, journal: Journal) =>
      planned(
        effectiveOf(configuration([service('web', [a], { drain: { overMs: 0, timeoutMs } })])),
        kernelState({ [WEB]: { [A]: 10 } }),
        { journal },
      );
    const none = owning(WEB);
    expect(at(null, none).journal).toBe(none);
    const some = at(5, none).journal;
    expect(some.services[WEB]).toMatchObject({ drainTimeoutMs: 5, leaving: null });
    expect(at(5, some).journal).toBe(some);
    expect(at(null, some).journal).toEqual(none);
  });

  it('without reals is deleted at once', () => {
    expect(ops(planned(nothing, kernelState({ [WEB]: {} }), { journal: owning(WEB) }))).toEqual([`delete ${WEB}`]);
  });

  it('comes back as if nothing had been', () => {
    const first = planned(nothing, busy(there, A), { journal: owning(WEB) });
    const result = planned(web(a, b), kernelState({ [WEB]: { [A]: 0, [B]: 0 } }), { journal: first.journal });
    expect(ops(result)).toEqual([`edit ${WEB} ${A} 10`, `edit ${WEB} ${B} 10`]);
    expect(result.journal.services[WEB]?.leaving).toBeNull();
  });

  it('makes room for its new key before it goes', () => {
    const moved = effectiveOf(configuration([service('web', [a], { match: ports(81) })]));
    const result = planned(moved, kernelState({ [WEB]: { [A]: 10 } }), { journal: owning(WEB) });
    expect(ops(result)).toEqual([
      'add tcp|192.0.2.10|81',
      'add tcp|192.0.2.10|81 10.0.0.1|81 10',
      `edit ${WEB} ${A} 0`,
    ]);
  });
});

it('what was applied is what is there, with the counts of before', () => {
  const actual = busy({ [WEB]: { [A]: 10, [B]: 10 } }, A, 5);
  const result = planned(web(real('a', '10.0.0.1', { weight: 3 }), c), actual, { journal: owning(WEB) });
  const next = applyToState(actual, result.ops);
  const weights = [...(next.get(WEB as never)?.destinations ?? [])].map(([key, { destination }]) => [
    key,
    destination.weight,
  ]);
  expect(Object.fromEntries(weights)).toEqual({ [A]: 3, [B]: 0, [C]: 10 });
  expect(next.get(WEB as never)?.destinations.get(A as never)?.activity.inactiveConnections).toBe(5);
  expect(actual.get(WEB as never)?.destinations.size).toBe(2);
});
