import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { named } from '../../../src/agent/policy/desired-state.ts';
import type { Effective } from '../../../src/agent/policy/effective-state.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import { applyToState } from '../../../src/agent/policy/kernel-state.ts';
import { plan } from '../../../src/agent/policy/plan.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import type { DataplaneOp, DataplaneState, ServiceKey } from '../../../src/ipvs/dataplane.ts';
import { destinationKeyOf, serviceKeyOf } from '../../../src/ipvs/dataplane.ts';
import { configuration, ports, real, service, vip } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { ModelKernel, opText, opsFor } from '../../fakes/model-kernel.ts';
import { runs } from '../../fakes/property.ts';

const FOREIGN = { 'tcp|198.51.100.1|22': { '10.0.0.1|22': 5 }, 'udp|198.51.100.1|53': {} };
const DRAIN_MS = 1_000;
const LONG_DRAIN_MS = 2_500;

/** Services, then reals, and what takes away comes last. */
const RANKS = {
  addService: 0,
  editService: 0,
  addDestination: 1,
  editDestination: 2,
  deleteDestination: 3,
  deleteService: 4,
} as const satisfies Record<DataplaneOp['kind'], number>;

const realArbitrary = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  host: fc.integer({ min: 1, max: 5 }),
  port: fc.constantFrom(null, null, 8080),
  weight: fc.constantFrom(0, 5, 10),
  state: fc.constantFrom<('enabled' | 'drain' | 'disabled')[]>('enabled', 'enabled', 'drain', 'disabled'),
  method: fc.constantFrom<('nat' | 'direct')[]>('nat', 'nat', 'direct'),
});

const serviceArbitrary = fc.record({
  reals: fc.uniqueArray(realArbitrary, { maxLength: 4, selector: ({ name }) => name }),
  ports: fc.uniqueArray(fc.constantFrom(80, 81, 443), { minLength: 1, maxLength: 2 }),
  scheduler: fc.constantFrom('wlc', 'rr', 'mh'),
  schedulerFlags: fc.nat({ max: 3 }),
  timeoutSeconds: fc.constantFrom(null, 60, 300),
  whenDown: fc.constantFrom<('quiesce' | 'remove')[]>('quiesce', 'remove'),
  sorry: fc.boolean(),
  drainTimeoutMs: fc.constantFrom(null, null, 400, LONG_DRAIN_MS),
});

const stepArbitrary = fc.record({
  services: fc.array(serviceArbitrary, { maxLength: 2 }),
  verdicts: fc.array(fc.constantFrom<(VerdictState | null)[]>('up', 'up', 'down', null), {
    minLength: 5,
    maxLength: 5,
  }),
  connections: fc.integer({ min: 0, max: 3 }),
  waitMs: fc.constantFrom(0, 1, 500, 1_000),
  restart: fc.boolean(),
  drift: fc.integer({ min: 0, max: 4 }),
});
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

function desiredOf(step: Step): Desired {
  const services = step.services.map((one, index) => {
    const reals = one.reals.map(({ name, host, port, weight, state, method }) =>
      real(name, `10.0.0.${host}`, { port: method === 'nat' ? port : null, weight, state, forwarding: { method } }),
    );
    const persistence =
      one.timeoutSeconds === null
        ? null
        : { timeoutSeconds: one.timeoutSeconds, mask: 24, prefixLength: 64, engine: null };
    return service(`s${index}`, reals, {
      vip: `v${index}`,
      match: ports(...one.ports),
      scheduler: one.scheduler,
      schedulerFlags: one.schedulerFlags,
      persistence,
      health: { rise: 1, fall: 1, initial: 'unknown', whenDown: one.whenDown, floor: 0, slowStartMs: 0 },
      drain: { overMs: 0, timeoutMs: one.drainTimeoutMs },
      sorry: one.sorry ? { address: '10.0.0.5' as never, port: null, forwarding: { method: 'nat' } } : null,
    });
  });
  return configuration(services, { vips: [vip('v0', ['192.0.2.10']), vip('v1', ['192.0.2.11', '192.0.2.12'])] });
}

/** One director: what it wants, what its kernel holds, what it noted. */
class Director {
  readonly kernel = new ModelKernel();
  readonly #decisions = new Decisions();
  #journal: Journal = emptyJournal;
  #previous: Effective | null = null;
  /** Kernel services that nothing wants any more: since when, and the time that their record gives them, as it was last. */
  readonly #released = new Map<ServiceKey, { readonly since: number; readonly timeoutMs: number }>();

  constructor() {
    expect(this.kernel.apply(opsFor(FOREIGN))).toEqual([]);
  }

  run(step: Step): void {
    this.#decisions.wait(step.waitMs);
    if (step.restart) {
      this.#journal = JSON.parse(JSON.stringify(this.#journal)) as Journal;
      this.#previous = null;
    }
    this.#setConnections(step.connections);
    this.#drift(step.drift);
    const states = Object.fromEntries(
      step.verdicts.flatMap((state, index) => (state === null ? [] : [[`10.0.0.${index + 1}`, state] as const])),
    );
    this.pass(desiredOf(step), states);
  }

  pass(desired: Desired, states: Record<string, VerdictState>): readonly DataplaneOp[] {
    const actual = this.kernel.state();
    this.#decisions.actual = actual;
    const effective = this.#decisions.decide(desired, states);
    this.#noteReleased(desired, effective, actual);
    const result = this.#plan(effective, actual);
    this.#givenTheirTime(result.ops, actual);
    expect(result.foreign).toEqual(Object.keys(FOREIGN));
    this.#neverEmptyNorTwice(result.ops);
    this.#drainedFirst(result.ops, effective, actual);
    const picture = withoutActivity(applyToState(actual, result.ops));
    expect(picture).toEqual(withoutActivity(this.kernel.state()));
    this.#journal = result.journal;
    this.#previous = effective;
    const again = this.#plan(effective, this.kernel.state());
    expect(again.ops.map(opText)).toEqual([]);
    this.#journal = again.journal;
    for (const key of this.kernel.state().keys()) {
      expect(Object.hasOwn(this.#journal.services, key)).toBe(!Object.hasOwn(FOREIGN, key));
    }
    return result.ops;
  }

  /** Everything settles: no connections, and more time than a deadline takes. */
  settle(step: Step): void {
    this.kernel.connections.clear();
    const desired = desiredOf(step);
    const up = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`10.0.0.${index + 1}`, 'up' as const]));
    this.pass(desired, up);
    this.#decisions.wait(LONG_DRAIN_MS + 1);
    this.pass(desired, up);
    const wanted = new Map<string, string[]>();
    for (const [key, { destinations }] of this.#previous?.kernel ?? [])
      wanted.set(key, [...destinations.keys()].sort());
    const held = new Map<string, string[]>();
    for (const [key, { destinations }] of this.kernel.state()) {
      if (!Object.hasOwn(FOREIGN, key)) held.set(key, [...destinations.keys()].sort());
    }
    expect(held).toEqual(wanted);
  }

  #plan(effective: Effective, actual: DataplaneState) {
    const { now } = this.#decisions;
    const journal = this.#journal;
    return plan({
      effective,
      actual,
      activityAt: now,
      journal,
      previous: this.#previous,
      drainTimeoutMs: DRAIN_MS,
      now,
    });
  }

  /** Applies, and looks at the kernel after every single operation. */
  #neverEmptyNorTwice(ops: readonly DataplaneOp[]): void {
    const loaded = (): Set<string> => {
      const keys = [...this.kernel.state().keys()].filter((key) => this.kernel.hasTraffic(key));
      // The address too: a service that moves to another port must not leave its VIP without reals meanwhile.
      return new Set(keys.flatMap((key) => [key, key.split('|')[1] ?? '']));
    };
    const before = loaded();
    const emptied = new Set<string>();
    const refusals = this.kernel.apply(ops, () => {
      const now = loaded();
      for (const one of before) if (!now.has(one)) emptied.add(one);
    });
    expect(refusals).toEqual([]);
    const after = loaded();
    expect([...emptied].filter((one) => after.has(one))).toEqual([]);
    // One operation for each thing: nothing is deleted and added again, nothing is edited twice.
    const touched = ops.map((op) => opText(op).split(' ').slice(1, 3).join(' '));
    expect(new Set(touched).size).toBe(touched.length);
    const ranks = ops.map(({ kind }) => RANKS[kind]);
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  }

  #noteReleased({ services }: Desired, { kernel }: Effective, actual: DataplaneState): void {
    for (const key of this.#released.keys()) if (kernel.has(key) || !actual.has(key)) this.#released.delete(key);
    for (const key of actual.keys()) {
      if (Object.hasOwn(FOREIGN, key) || kernel.has(key)) continue;
      const before = this.#released.get(key);
      const last = this.#previous?.kernel.get(key) ?? this.#journal.services[key];
      const record = named(services, last?.service ?? '');
      const own = record === undefined ? (before?.timeoutMs ?? last?.drainTimeoutMs) : record.drain.timeoutMs;
      this.#released.set(key, { since: before?.since ?? this.#decisions.now, timeoutMs: own ?? DRAIN_MS });
    }
  }

  /** A kernel service with connections goes when its time is over, and not before. */
  #givenTheirTime(ops: readonly DataplaneOp[], actual: DataplaneState): void {
    const deleted = new Set(ops.flatMap((op) => (op.kind === 'deleteService' ? [serviceKeyOf(op.match)] : [])));
    for (const [key, { since, timeoutMs }] of this.#released) {
      const isOver = this.#decisions.now >= since + timeoutMs;
      const isBusy = [...this.kernel.connections.keys()].some((each) => each.startsWith(`${key} `));
      if (isBusy || isOver) expect([key, actual.has(key) && deleted.has(key)]).toEqual([key, isOver]);
    }
  }

  /** A real that takes traffic goes only if its record says at once, or if it was leaving before. */
  #drainedFirst(ops: readonly DataplaneOp[], effective: Effective, actual: DataplaneState): void {
    for (const op of ops) {
      if (op.kind !== 'deleteDestination') continue;
      const key = serviceKeyOf(op.match);
      const name = destinationKeyOf(op);
      const weight = actual.get(key)?.destinations.get(name)?.destination.weight ?? 0;
      const atOnce = effective.kernel.get(key)?.out.get(name)?.removal === 'now';
      const wasLeaving = Object.hasOwn(this.#journal.services[key]?.destinations ?? {}, name);
      expect(weight === 0 || atOnce || wasLeaving).toBe(true);
    }
  }

  #setConnections(connections: number): void {
    this.kernel.connections.clear();
    if (connections === 0) return;
    for (const [key, { destinations }] of this.kernel.state()) {
      for (const name of destinations.keys()) {
        if (name.startsWith('10.0.0.1') || connections > 2) this.kernel.connections.set(`${key} ${name}`, connections);
      }
    }
  }

  /** Somebody else changes our part of the kernel. */
  #drift(kind: number): void {
    const ours = [...this.kernel.state()].find(([key]) => !Object.hasOwn(FOREIGN, key));
    if (ours === undefined || kind < 3) return;
    const { match } = ours[1].service;
    if (kind === 3) {
      this.kernel.apply([{ kind: 'deleteService', match }]);
      return;
    }
    const [first] = ours[1].destinations.values();
    if (first !== undefined) {
      const destination = { ...first.destination, weight: 77 };
      this.kernel.apply([{ kind: 'editDestination', match, destination }]);
    }
  }
}

function withoutActivity(state: DataplaneState): unknown {
  return new Map(
    [...state].map(([key, { service: own, destinations }]) => {
      return [key, { own, destinations: new Map([...destinations].map(([name, one]) => [name, one.destination])) }];
    }),
  );
}

describe('plans, over any sequence of wishes, verdicts, restarts and meddling', () => {
  it('fit the kernel, converge at once, empty no pool, and leave what is foreign alone', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { minLength: 1, maxLength: 8 }), (steps) => {
        const director = new Director();
        for (const step of steps) director.run(step);
        const last = steps.at(-1);
        if (last !== undefined) director.settle(last);
      }),
      runs(250),
    );
  });
});
