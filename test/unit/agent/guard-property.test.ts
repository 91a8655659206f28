import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { emptyWindow, guard } from '../../../src/agent/policy/guard.ts';
import type { GuardOutcome } from '../../../src/agent/policy/guard.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { runs } from '../../fakes/property.ts';

const SERVICES = 4;
const REALS = 6;
const WINDOW_MS = 100;

/** What a store may hold: for each service its reals, as bits, or null where the service is gone. */
type Picture = readonly (number | null)[];

function candidateOf(picture: Picture, weight: number, limits: Desired['agent']['limits']): Desired {
  const services = picture.flatMap((bits, index) => {
    if (bits === null) return [];
    const reals = Array.from({ length: REALS }, (_, bit) => bit).filter((bit) => (bits & (1 << bit)) !== 0);
    const made = reals.map((bit) => real(`r${bit}`, `10.0.${index}.${bit + 1}`, { weight }));
    return [service(`s${index}`, made, { match: ports(80 + index) })];
  });
  const base = configuration(services);
  const revision = `sha256:${picture.join(',')}/${weight}`;
  return { ...base, revision, agent: { ...base.agent, limits } };
}

const picture: fc.Arbitrary<Picture> = fc.array(
  fc.option(fc.oneof(fc.constant(2 ** REALS - 1), fc.nat({ max: 2 ** REALS - 1 })), { freq: 5 }),
  { minLength: SERVICES, maxLength: SERVICES },
);

const step = fc.record({
  picture,
  weight: fc.nat({ max: 3 }),
  waitMs: fc.constantFrom(0, 1, 10, 40, 60, 99, 100, 101, 300),
  approve: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
  restart: fc.boolean(),
  settled: fc.integer({ min: 0, max: 4 }).map((chance) => chance > 0),
  rootExists: fc.integer({ min: 0, max: 9 }).map((chance) => chance > 0),
});

const limitsArbitrary = fc.record({
  maxDeleteShare: fc.constantFrom(0, 0.1, 0.3, 0.5),
  maxDeleteCount: fc.nat({ max: 4 }),
  windowMs: fc.constant(WINDOW_MS),
});

interface Entry {
  readonly at: number;
  readonly services: ReadonlySet<string>;
  readonly reals: ReadonlySet<string>;
}

function entryOf(desired: Desired, at: number): Entry {
  const services = Object.values(desired.services);
  const reals = services.flatMap(({ name, reals: own }) => Object.keys(own).map((one) => `${name}/${one}`));
  return { at, services: new Set(services.map(({ name }) => name)), reals: new Set(reals) };
}

/** Judges from outside: of all that was in force at some time within the window, how much is gone now? */
function excessIn(history: readonly Entry[], now: number, limits: Desired['agent']['limits']): string[] {
  const start = now - WINDOW_MS;
  const inForceAtStart = history.findLastIndex(({ at }) => at <= start);
  const within = history.slice(Math.max(inForceAtStart, 0));
  const [first] = within;
  const last = within.at(-1);
  if (first === undefined || last === undefined) return [];
  return (['services', 'reals'] as const).flatMap((kind) => {
    const seen = new Set(within.flatMap((entry) => [...entry[kind]]));
    const gone = [...seen].filter((name) => !last[kind].has(name));
    const allowed = Math.max(limits.maxDeleteCount, limits.maxDeleteShare * first[kind].size);
    return gone.length > allowed ? [`${gone.length} ${kind} are gone, ${allowed} are allowed`] : [];
  });
}

describe('the guard, over any sequence of configurations and restarts', () => {
  it('never lets more than the limits go within the window without approval', () => {
    fc.assert(
      fc.property(picture, fc.array(step, { maxLength: 25 }), limitsArbitrary, (first, steps, limits) => {
        let now = 1_000;
        let outcome = guard({
          accepted: null,
          candidate: candidateOf(first, 1, limits),
          rootExists: true,
          empty: false,
          approvals: new Map(),
          window: emptyWindow,
          hold: null,
          settled: true,
          now,
        });
        let history = [entryOf(outcome.accepted, now)];
        for (const [index, one] of steps.entries()) {
          now += one.waitMs;
          const candidate = candidateOf(one.picture, one.weight, limits);
          const before = one.restart ? (JSON.parse(JSON.stringify(outcome)) as GuardOutcome) : outcome;
          const approvals = new Map(one.approve ? [[candidate.revision, `${index}`]] : []);
          outcome = guard({
            accepted: before.accepted,
            candidate,
            rootExists: one.rootExists,
            empty: false,
            approvals,
            window: before.window,
            hold: before.hold,
            settled: one.settled,
            now,
          });
          const released = one.approve && one.settled && outcome.window.losses.length === 0 && outcome.hold === null;
          if (released) history = [];
          history.push(entryOf(outcome.accepted, now));
          expect(excessIn(history, now, limits)).toEqual([]);
        }
      }),
      runs(600),
    );
  });

  it('never keeps back an add or an edit, and holds only what it says', () => {
    fc.assert(
      fc.property(picture, fc.array(step, { maxLength: 15 }), limitsArbitrary, (first, steps, limits) => {
        const common = { empty: false, approvals: new Map<string, string>(), rootExists: true };
        let now = 1_000;
        let outcome = guard({
          ...common,
          accepted: null,
          candidate: candidateOf(first, 1, limits),
          window: emptyWindow,
          hold: null,
          settled: true,
          now,
        });
        for (const one of steps) {
          now += one.waitMs;
          const candidate = candidateOf(one.picture, one.weight, limits);
          const { accepted, window, hold } = outcome;
          outcome = guard({ ...common, candidate, accepted, window, hold, settled: one.settled, now });
          for (const wanted of Object.values(candidate.services)) {
            const inForce = outcome.accepted.services[wanted.name];
            expect(inForce).toMatchObject({ name: wanted.name, held: false });
            for (const own of Object.values(wanted.reals)) expect(inForce?.reals[own.name]).toEqual(own);
          }
          if (outcome.hold === null && one.settled) expect(outcome.accepted).toEqual(candidate);
        }
      }),
      runs(200),
    );
  });
});
