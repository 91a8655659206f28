import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import type { LeavingEntry } from '../../../src/agent/policy/journal.ts';
import { TrafficLedger } from '../../../src/agent/traffic-ledger.ts';
import type { DataplaneState, DestinationKey, ServiceKey, TrafficStats } from '../../../src/ipvs/dataplane.ts';
import { NO_TRAFFIC } from '../../../src/ipvs/traffic.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { kernelState } from '../../fakes/model-kernel.ts';
import { runs } from '../../fakes/property.ts';

const HTTP = 'tcp|192.0.2.10|80';
const HTTPS = 'tcp|192.0.2.10|443';
const A = '10.0.0.1|80';
const A_TLS = '10.0.0.1|443';
const UP = { '10.0.0.1': 'up', '10.0.0.2': 'up' } as const;

/** A service on the ports, and what the kernel counted: bytes by entry, "SERVICE" or "SERVICE REAL". */
const both = configuration([service('web', [real('a', '10.0.0.1')], { match: ports(80, 443) })]);
const httpOnly = configuration([service('web', [real('a', '10.0.0.1')])]);

function counted(bytes: Readonly<Record<string, number>>): DataplaneState {
  const stats = (entry: string): TrafficStats => {
    const inBytes = BigInt(bytes[entry] ?? 0);
    return { ...NO_TRAFFIC, inBytes, connections: inBytes / 10n };
  };
  const table: Record<string, Record<string, number>> = {};
  for (const entry of Object.keys(bytes)) {
    const [key = '', destination] = entry.split(' ');
    table[key] ??= {};
    if (destination !== undefined) Object.assign(table[key] ?? {}, { [destination]: 10 });
  }
  return new Map(
    [...kernelState(table)].map(([key, held]) => [
      key,
      {
        ...held,
        stats: stats(key),
        destinations: new Map(
          [...held.destinations].map(([name, { destination, activity }]) => [
            name,
            { destination, activity: { ...activity, stats: stats(`${key} ${name}`) } },
          ]),
        ),
      },
    ]),
  );
}

class Bench {
  readonly ledger = new TrafficLedger();
  readonly #decisions = new Decisions();

  take(desired: Desired, bytes: Readonly<Record<string, number>>, leaving: readonly LeavingEntry[] = []): this {
    this.ledger.take(this.#decisions.decide(desired, UP), leaving, counted(bytes));
    return this;
  }

  get bytes(): { readonly web: number; readonly a: number } {
    return { web: this.ledger.ofService('web').inBytes, a: this.ledger.ofReal('web', 'a').inBytes };
  }
}

describe('the counters of a record', () => {
  it('begin with what the kernel has, summed over all kernel services', () => {
    const bench = new Bench().take(both, { [HTTP]: 100, [`${HTTP} ${A}`]: 90, [HTTPS]: 50, [`${HTTPS} ${A_TLS}`]: 40 });
    expect(bench.bytes).toEqual({ web: 150, a: 130 });
    expect(bench.ledger.ofService('web').connections).toBe(15);
  });

  it('grow by what was added', () => {
    const bench = new Bench().take(both, { [HTTP]: 100, [`${HTTP} ${A}`]: 90 });
    bench.take(both, { [HTTP]: 160, [`${HTTP} ${A}`]: 140 }).take(both, { [HTTP]: 160, [`${HTTP} ${A}`]: 140 });
    expect(bench.bytes).toEqual({ web: 160, a: 140 });
  });

  it('grow as well where the same objects count on', () => {
    const bench = new Bench();
    const effective = new Decisions().decide(httpOnly, UP);
    const state = counted({ [HTTP]: 100, [`${HTTP} ${A}`]: 90 });
    const [held] = state.values();
    const [entry] = held?.destinations.values() ?? [];
    if (held === undefined || entry === undefined) throw new Error('the state is empty');
    const activity = { ...entry.activity, revision: 1 };
    const counting = new Map([
      [HTTP as ServiceKey, { ...held, destinations: new Map([[A as DestinationKey, { ...entry, activity }]]) }],
    ]);
    bench.ledger.take(effective, [], counting);
    Object.assign(activity, { stats: { ...activity.stats, inBytes: 140n }, revision: 2 });
    bench.ledger.take(effective, [], counting);
    expect(bench.bytes).toEqual({ web: 100, a: 140 });
  });

  it('do not go back when an entry is made anew, or the kernel’s counters are zeroed', () => {
    const bench = new Bench().take(both, { [HTTP]: 100, [`${HTTP} ${A}`]: 100 });
    bench.take(both, { [HTTP]: 7, [`${HTTP} ${A}`]: 7 });
    expect(bench.bytes).toEqual({ web: 107, a: 107 });
  });

  it('neither jump nor go back when a kernel service goes away and comes back', () => {
    const bench = new Bench().take(both, { [HTTP]: 100, [HTTPS]: 1_000 });
    bench.take(httpOnly, { [HTTP]: 110 });
    expect(bench.bytes.web).toBe(1_110);
    bench.take(both, { [HTTP]: 110, [HTTPS]: 3 });
    expect(bench.bytes.web).toBe(1_113);
  });

  it('do not count twice what comes back with its counters, as a real does that the kernel still had in its bin', () => {
    const bench = new Bench().take(httpOnly, { [HTTP]: 100, [`${HTTP} ${A}`]: 100 });
    bench.take(httpOnly, { [HTTP]: 100 }).take(httpOnly, { [HTTP]: 120, [`${HTTP} ${A}`]: 120 });
    expect(bench.bytes).toEqual({ web: 120, a: 120 });
  });

  it('go on for a real that is leaving, by its name', () => {
    const moved = configuration([service('web', [real('a', '10.0.0.9')])]);
    const entry = {
      key: HTTP as never,
      destination: A as never,
      service: 'web',
      real: 'a',
      weight: 0,
      since: 0,
      until: 1,
      connections: { active: 1, inactive: 0, persistent: 0 },
    };
    const bench = new Bench().take(httpOnly, { [HTTP]: 100, [`${HTTP} ${A}`]: 100 });
    bench.take(moved, { [HTTP]: 130, [`${HTTP} ${A}`]: 110, [`${HTTP} 10.0.0.9|80`]: 20 }, [entry]);
    expect(bench.bytes).toEqual({ web: 130, a: 130 });
  });

  it('end with their record', () => {
    const bench = new Bench().take(httpOnly, { [HTTP]: 100, [`${HTTP} ${A}`]: 100 });
    bench.take(configuration([service('web', [real('b', '10.0.0.2')])]), { [HTTP]: 100 });
    expect(bench.bytes).toEqual({ web: 100, a: 0 });
    bench.take(configuration([]), {});
    expect(bench.bytes).toEqual({ web: 0, a: 0 });
  });

  it('never go back, and are exact where nothing was made anew, whatever happens in the kernel', () => {
    const step = fc.record({ add: fc.nat({ max: 1_000 }), anew: fc.boolean(), there: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const bench = new Bench();
        let raw = 0;
        let seen = 0;
        let exact = true;
        for (const { add, anew, there } of steps) {
          if (anew) {
            exact = false;
            raw = 0;
          }
          raw += add;
          const before = bench.bytes.web;
          bench.take(httpOnly, there ? { [HTTP]: raw } : {});
          if (there) seen = raw;
          expect(bench.bytes.web).toBeGreaterThanOrEqual(before);
          if (exact) expect(bench.bytes.web).toBe(seen);
        }
      }),
      runs(200),
    );
  });
});
