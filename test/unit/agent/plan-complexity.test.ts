import { describe, expect, it } from 'vitest';
import type { Effective, WantedDestination, WantedService } from '../../../src/agent/policy/effective-state.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import { plan } from '../../../src/agent/policy/plan.ts';
import type { PlanInput } from '../../../src/agent/policy/plan.ts';
import { destinationKeyOf, serviceKeyOf } from '../../../src/ipvs/dataplane.ts';
import type { ActualDestination, DestinationKey, ServiceKey } from '../../../src/ipvs/dataplane.ts';
import { NO_ACTIVITY, NO_TRAFFIC } from '../../../src/ipvs/traffic.ts';
import { match, real, service } from '../../contract/dataplane-samples.ts';

/** Counts how often something is looked up or walked over: what a plan costs, whatever else the machine does. */
class Counter {
  steps = 0;

  map<K, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
    return new CountingMap(entries, this);
  }
}

class CountingMap<K, V> extends Map<K, V> {
  readonly #counter: Counter;

  constructor(entries: Iterable<readonly [K, V]>, counter: Counter) {
    super(entries);
    this.#counter = counter;
  }

  override get(key: K): V | undefined {
    this.#counter.steps++;
    return super.get(key);
  }

  override has(key: K): boolean {
    this.#counter.steps++;
    return super.has(key);
  }

  override *[Symbol.iterator](): MapIterator<[K, V]> {
    for (const entry of super.entries()) {
      this.#counter.steps++;
      yield entry;
    }
    return undefined;
  }
}

/** So many services and reals, all in order but for one weight. */
function inputOf(services: number, reals: number, counter: Counter): PlanInput {
  const kernel = new Map<ServiceKey, WantedService>();
  const actual = new Map(
    Array.from({ length: services }, (_, index) => {
      const wanted: [DestinationKey, WantedDestination][] = [];
      const there: [DestinationKey, ActualDestination][] = [];
      for (let n = 0; n < reals; n++) {
        const destination = real(`10.${index}.${n >> 8}.${n & 255}`, 80);
        const key = destinationKeyOf(destination);
        const edited = index === 0 && n === 0 ? { ...destination, weight: 9 } : destination;
        wanted.push([key, { real: `r${n}`, destination: edited }]);
        there.push([key, { destination, activity: NO_ACTIVITY }]);
      }
      const own = service(match('tcp', `192.0.2.${index}`, 80));
      const key = serviceKeyOf(own.match);
      const fields = { service: `s${index}`, out: new Map<never, never>(), drainTimeoutMs: null, pending: false };
      kernel.set(key, { key, kernel: own, destinations: counter.map(wanted), ...fields });
      return [key, { service: own, stats: NO_TRAFFIC, destinations: counter.map(there) }] as const;
    }),
  );
  const effective: Effective = {
    revision: '',
    services: new Map(),
    kernel,
    vips: new Map(),
    marks: [],
    nextChangeMs: null,
  };
  const rest = { activityAt: 0, journal: emptyJournal, previous: null, drainTimeoutMs: 1_000, now: 1 };
  return { effective, actual, ...rest };
}

describe('the cost of a plan', () => {
  it('is a few looks at each real, however many there are, in one service or in many', () => {
    for (const [services, reals] of [
      [1, 1_000],
      [1, 10_000],
      [100, 100],
    ] as const) {
      const counter = new Counter();
      const input = inputOf(services, reals, counter);
      expect(plan(input).ops.length).toBe(1);
      expect(counter.steps).toBeGreaterThanOrEqual(services * reals);
      expect(counter.steps).toBeLessThanOrEqual(4 * services * reals);
    }
  });

  it('does not grow with the reals of what was in order before', () => {
    const counter = new Counter();
    const input = inputOf(20, 500, counter);
    const first = plan(input);
    counter.steps = 0;
    const second = plan({ ...input, journal: first.journal, settled: first.settled });
    expect(second.ops).toEqual(first.ops);
    // Only the service with the edit is looked into.
    expect(counter.steps).toBeLessThanOrEqual(4 * 500);
  });
});
