import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredState } from '../../../src/agent/policy/desired.ts';
import { effectiveState } from '../../../src/agent/policy/effective.ts';
import { emptyMemory } from '../../../src/agent/policy/health-memory.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import { plan } from '../../../src/agent/policy/plan.ts';
import { prepare } from '../../../src/agent/policy/prepared.ts';
import type { DataplaneOp, DataplaneState } from '../../../src/ipvs/dataplane.ts';
import { brokenRule } from '../../../src/ipvs/rules.ts';
import { familyOf } from '../../../src/model/address.ts';
import { SCHEDULERS, SCHEDULER_FLAGS } from '../../../src/model/records/service.ts';
import { runs } from '../../fakes/property.ts';
import { decoded } from '../../fakes/records.ts';
import type { StoreContent } from '../../fakes/records.ts';

/** Mostly absent, so that many records are good in all but one thing. */
const optional = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const PORT = fc.constantFrom(1, 80, 8080, 65_535);

const forwardArbitrary = fc.oneof(
  fc.constantFrom('nat', 'direct'),
  fc.record(
    {
      tunnel: fc.constantFrom('ipip', 'gue', 'gre'),
      port: PORT,
      checksum: fc.constantFrom('none', 'full', 'remote'),
    },
    { requiredKeys: ['tunnel'] },
  ),
);

const matchArbitrary = fc.oneof(
  fc.record(
    {
      ports: fc.uniqueArray(fc.constantFrom('0', '80', '80-82', '65535'), { minLength: 1, maxLength: 2 }),
      protocols: fc.uniqueArray(fc.constantFrom('tcp', 'udp', 'sctp'), { minLength: 1 }),
    },
    { requiredKeys: ['ports'] },
  ),
  fc.record(
    {
      fwmark: fc.constantFrom(1, 7, 4_294_967_295),
      families: fc.uniqueArray(fc.constantFrom('ipv4', 'ipv6'), { minLength: 1 }),
    },
    { requiredKeys: ['fwmark'] },
  ),
);

const serviceArbitrary = fc.record({
  match: matchArbitrary,
  scheduler: optional(fc.constantFrom(...SCHEDULERS)),
  schedulerFlags: optional(fc.uniqueArray(fc.constantFrom(...SCHEDULER_FLAGS), { maxLength: 2 })),
  forward: optional(forwardArbitrary),
  onePacket: optional(fc.boolean()),
  persistence: optional(
    fc.record(
      {
        timeout: fc.constantFrom('0s', '1s', '1500ms', '31d', '32d'),
        mask: fc.constantFrom(1, 24, 32),
        prefixLength: fc.constantFrom(1, 64, 128),
        engine: fc.constant('sip'),
      },
      { requiredKeys: [] },
    ),
  ),
  sorry: optional(
    fc.record(
      { address: fc.constantFrom('10.9.9.9', '2001:db8::99', '224.0.0.1'), port: PORT, forward: forwardArbitrary },
      { requiredKeys: ['address'] },
    ),
  ),
});

const ADDRESSES = ['10.0.0.1', '2001:db8:1::1', '127.0.0.1', '0.0.0.0', '239.0.0.1', '240.0.0.1', 'ff02::1', 'fe80::1'];
const realArbitrary = fc.record({
  address: fc.constantFrom(...ADDRESSES, '10.0.0.2', '10.0.0.3', '2001:db8:1::2'),
  port: optional(PORT),
  weight: optional(fc.constantFrom(0, 1, 2_147_483_647)),
  forward: optional(forwardArbitrary),
  upperThreshold: optional(fc.constantFrom(0, 10, 2_147_483_647)),
  lowerThreshold: optional(fc.constantFrom(0, 5, 11)),
});

const contentArbitrary = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom('192.0.2.10', '192.0.2.11', '2001:db8::10'), { minLength: 1 }),
    serviceArbitrary,
    fc.array(realArbitrary, { maxLength: 3 }),
    fc.boolean(),
  )
  .map(([addresses, service, reals, synchronised]): StoreContent => ({
    'agents/lb1': { kernel: { sync: { master: synchronised ? { interface: 'eth1' } : null } } },
    'vips/shop': { addresses },
    'services/web': { vip: 'shop', ...service },
    ...Object.fromEntries(reals.map((real, index) => [`services/web/reals/r${index}`, real])),
  }));

/** Refused while a sync daemon runs: a rule that one operation alone cannot break. */
function mixesFamilies(op: DataplaneOp): boolean {
  return op.kind === 'addDestination' && familyOf(op.destination.address) !== op.match.family;
}

function opsFor(content: StoreContent): {
  readonly ops: readonly DataplaneOp[];
  readonly faults: number;
  readonly synchronised: boolean;
} {
  const outcome = decoded(content);
  const built = desiredState(outcome.records, 'lb1', null, outcome.revision);
  const { desired } = built;
  const actual: DataplaneState = new Map();
  const { effective } = effectiveState({
    prepared: prepare(desired),
    verdicts: new Map(),
    memory: emptyMemory,
    actual,
    now: 1,
    monotonic: 1,
  });
  const planned = plan({
    effective,
    actual,
    activityAt: 1,
    journal: emptyJournal,
    previous: null,
    drainTimeoutMs: 1,
    now: 1,
  });
  const faults = [...outcome.problems, ...built.problems].filter(({ effect }) => effect !== 'in force').length;
  return { ops: planned.ops, faults, synchronised: desired.agent.kernel.length > 0 };
}

describe('what the kernel refuses', () => {
  it('is refused as a record first, whatever else is in it', () => {
    let refused = 0;
    let planned = 0;
    let mixed = 0;
    fc.assert(
      fc.property(contentArbitrary, (content) => {
        const { ops, faults, synchronised } = opsFor(content);
        expect(ops.map(brokenRule).filter((broken) => broken !== null)).toEqual([]);
        const mixing = ops.filter(mixesFamilies).length;
        if (synchronised) expect(mixing).toBe(0);
        mixed += mixing;
        refused += faults;
        planned += ops.length;
      }),
      runs(500),
    );
    expect(refused).toBeGreaterThan(200);
    expect(planned).toBeGreaterThan(500);
    expect(mixed).toBeGreaterThan(10);
  });
});
