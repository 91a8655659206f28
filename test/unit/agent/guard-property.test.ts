import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Desired, DesiredService } from '../../../src/agent/policy/desired-state.ts';
import { guard } from '../../../src/agent/policy/guard.ts';
import type { GuardOutcome } from '../../../src/agent/policy/guard.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { runs } from '../../fakes/property.ts';

const SERVICES = 4;
const REALS = 6;
const WINDOW_MS = 100;

/** What a store may hold: for each service its reals, as bits, or null where the service is gone. */
type Picture = readonly (number | null)[];

const REAL_BITS = Array.from({ length: REALS }, (_, bit) => bit);

/** Ten thousand runs see the same few services again and again. */
const services = new Map<string, DesiredService>();

function serviceOf(index: number, bits: number, weight: number): DesiredService {
  const key = `${index}/${bits}/${weight}`;
  const known = services.get(key);
  if (known !== undefined) return known;
  const reals = REAL_BITS.filter((bit) => (bits & (1 << bit)) !== 0);
  const made = reals.map((bit) => real(`r${bit}`, `10.0.${index}.${bit + 1}`, { weight }));
  const fresh = service(`s${index}`, made, { match: ports(80 + index) });
  services.set(key, fresh);
  return fresh;
}

function candidateOf(picture: Picture, weight: number, limits: Desired['agent']['limits']): Desired {
  const present = picture.flatMap((bits, index) => (bits === null ? [] : [serviceOf(index, bits, weight)]));
  const base = configuration(present);
  return { ...base, revision: `sha256:${picture.join(',')}/${weight}`, agent: { ...base.agent, limits } };
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

/** Judges from outside: of what was in force at any moment of the window, how much is gone now? */
function excessIn(history: readonly Entry[], now: number, limits: Desired['agent']['limits']): string[] {
  const start = now - WINDOW_MS;
  const inForceAtStart = history.findLastIndex(({ at }) => at <= start);
  const within = history.slice(Math.max(inForceAtStart, 0));
  const last = within.at(-1);
  if (last === undefined) return [];
  return within.flatMap((entry) =>
    (['services', 'reals'] as const).flatMap((kind) => {
      const gone = [...entry[kind]].filter((name) => !last[kind].has(name)).length;
      const allowed = Math.max(limits.maxDeleteCount, limits.maxDeleteShare * entry[kind].size);
      return gone > allowed ? [`${gone} ${kind} are gone of ${entry[kind].size}, ${allowed} are allowed`] : [];
    }),
  );
}

/** Ten thousand cases in all in every run, some seconds of one core; ten times as many in `npm run test:long`. */
function cases(count: number): ReturnType<typeof runs> {
  const chosen = runs(count);
  return { ...chosen, numRuns: Math.min(chosen.numRuns, 10 * count) };
}

const TIMEOUT_MS = 300_000;

describe('the guard, over any sequence of configurations and restarts', () => {
  it(
    'never lets more than the limits go within the window without approval',
    () => {
      fc.assert(
        fc.property(picture, fc.array(step, { maxLength: 16 }), limitsArbitrary, (first, steps, limits) => {
          let now = 1_000;
          let outcome = guard({
            accepted: null,
            candidate: candidateOf(first, 1, limits),
            rootExists: true,
            empty: false,
            approvals: new Map(),
            window: null,
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
            const excess = excessIn(history, now, limits);
            if (excess.length > 0) expect(excess).toEqual([]);
          }
        }),
        cases(8_500),
      );
    },
    TIMEOUT_MS,
  );

  it(
    'never keeps back an add or an edit, and holds only what it says',
    () => {
      fc.assert(
        fc.property(picture, fc.array(step, { maxLength: 10 }), limitsArbitrary, (first, steps, limits) => {
          const common = { empty: false, approvals: new Map<string, string>(), rootExists: true };
          let now = 1_000;
          let outcome = guard({
            ...common,
            accepted: null,
            candidate: candidateOf(first, 1, limits),
            window: null,
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
              if (inForce?.held !== false) expect(inForce).toMatchObject({ name: wanted.name, held: false });
              for (const own of Object.values(wanted.reals)) {
                if (inForce?.reals[own.name] !== own) expect(inForce?.reals[own.name]).toEqual(own);
              }
            }
            if (outcome.hold === null && one.settled) expect(outcome.accepted).toEqual(candidate);
          }
        }),
        cases(1_500),
      );
    },
    TIMEOUT_MS,
  );
});
