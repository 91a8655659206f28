import { describe, expect, it } from 'vitest';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { approvalsOf, guard, isEmpty } from '../../../src/agent/policy/guard.ts';
import type { GuardInput, GuardOutcome } from '../../../src/agent/policy/guard.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { SHOP, recordSet } from '../../fakes/records.ts';

const MINUTE = 60_000;

/** A service with reals r1..rN, without those that are named. */
function pool(
  size: number,
  without: readonly number[] = [],
  fields: Partial<Pick<Desired, 'agent' | 'drains'>> = {},
): Desired {
  const reals = Array.from({ length: size }, (_, index) => index + 1)
    .filter((number) => !without.includes(number))
    .map((number) => real(`r${number}`, `10.0.0.${number}`));
  const revision = `sha256:${size} without ${without.join(',')}`;
  return configuration([service('web', reals)], { revision, ...fields });
}

/** Feeds candidates to the guard, with its state through JSON in between, as a restart would. */
class Guarded {
  outcome: GuardOutcome;
  #now = 1_000_000;

  constructor(first: Desired) {
    this.outcome = guard({ ...this.#input(first), accepted: null, window: null, hold: null });
  }

  wait(ms: number): this {
    this.#now += ms;
    return this;
  }

  see(candidate: Desired, change: Partial<GuardInput> = {}): GuardOutcome {
    const { accepted, hold, window } = JSON.parse(JSON.stringify(this.outcome)) as GuardOutcome;
    this.outcome = guard({ ...this.#input(candidate), accepted, hold, window, ...change });
    return this.outcome;
  }

  get names(): string[] {
    return Object.keys(this.outcome.accepted.services['web']?.reals ?? {});
  }

  #input(candidate: Desired) {
    return {
      candidate,
      rootExists: true,
      empty: false,
      approvals: new Map<string, string>(),
      settled: true,
      now: this.#now,
    };
  }
}

describe('the guard', () => {
  it('takes the first configuration as it is', () => {
    const guarded = new Guarded(pool(10));
    expect(guarded.outcome).toMatchObject({ hold: null, accepted: { revision: 'sha256:10 without ' } });
  });

  it('lets losses pass up to the count, whatever share they are', () => {
    const guarded = new Guarded(pool(2));
    expect(guarded.see(pool(2, [1, 2])).hold).toBeNull();
    expect(guarded.names).toEqual([]);
  });

  it('lets losses pass up to the share, however many they are', () => {
    const guarded = new Guarded(pool(10));
    expect(guarded.see(pool(10, [1, 2, 3])).hold).toBeNull();
    expect(guarded.names).toHaveLength(7);
  });

  it('holds what is beyond both, all of it, and says so', () => {
    const guarded = new Guarded(pool(10));
    const { hold, accepted } = guarded.see(pool(10, [1, 2, 3, 4]));
    expect(hold).toEqual({
      revision: 'sha256:10 without 1,2,3,4',
      why: '4 of 10 reals would be lost within 10 min; without approval it is at most 2, or 30 %',
      since: 1_000_000,
      lost: ['real web/r1', 'real web/r2', 'real web/r3', 'real web/r4'],
      lostCount: 4,
    });
    expect(accepted.revision).toBe('sha256:10 without ');
    expect(guarded.names).toHaveLength(10);
  });

  it('counts over the window: many small losses are one large one', () => {
    const guarded = new Guarded(pool(10));
    guarded.wait(MINUTE).see(pool(10, [1, 2]));
    guarded.wait(MINUTE).see(pool(10, [1, 2, 3]));
    expect(guarded.outcome.hold).toBeNull();
    expect(guarded.wait(MINUTE).see(pool(10, [1, 2, 3, 4])).hold?.lost).toEqual(['real web/r4']);
    // The first two losses slide out of the window; those after it count of what there was then.
    expect(guarded.wait(9 * MINUTE).see(pool(10, [1, 2, 3, 4])).hold).toBeNull();
  });

  it('goes on with adds, edits and drains under a hold', () => {
    const guarded = new Guarded(pool(10));
    guarded.see(pool(10, [1, 2, 3, 4]));
    const drain = {
      name: 'd',
      target: { kind: 'agent', agent: 'lb1' },
      by: 'x',
      why: 'y',
      until: null,
      onExpiry: 'keep',
    } as const;
    const next = pool(12, [1, 2, 3, 4], { drains: { d: drain } });
    const { accepted, hold } = guarded.see(next);
    expect(guarded.names).toHaveLength(12);
    expect(Object.keys(accepted.drains)).toEqual(['d']);
    expect(hold).toMatchObject({ revision: next.revision, since: 1_000_000 });
  });

  it('is released by the approval of exactly that revision, once', () => {
    const guarded = new Guarded(pool(10));
    const bad = pool(10, [1, 2, 3, 4, 5]);
    expect(guarded.see(bad, { approvals: new Map([['sha256:other', '7']]) }).hold).not.toBeNull();
    const approvals = new Map([[bad.revision, '8']]);
    expect(guarded.see(bad, { approvals }).hold).toBeNull();
    expect(guarded.names).toHaveLength(5);
    // What was approved is not counted against the next small change.
    expect(guarded.see(pool(10, [1, 2, 3, 4, 5, 6]), { approvals }).hold).toBeNull();
    guarded.see(pool(10), { approvals });
    expect(guarded.see(bad, { approvals }).hold?.why).toContain('a new one is needed');
    expect(guarded.see(bad, { approvals: new Map([[bad.revision, '9']]) }).hold).toBeNull();
  });

  it('ends a hold when the losses are taken back', () => {
    const guarded = new Guarded(pool(10));
    guarded.see(pool(10, [1, 2, 3, 4]));
    expect(guarded.see(pool(10)).hold).toBeNull();
    expect(Object.values(guarded.outcome.accepted.services['web']?.reals ?? {}).some(({ held }) => held)).toBe(false);
  });

  it('gives back the part of the limit that comes back', () => {
    const guarded = new Guarded(pool(10));
    for (let round = 0; round < 5; round++) {
      expect(guarded.wait(MINUTE).see(pool(10, [1, 2, 3])).hold).toBeNull();
      expect(guarded.wait(MINUTE).see(pool(10)).hold).toBeNull();
    }
  });

  it('judges by the limits of before, which the same change cannot widen', () => {
    const guarded = new Guarded(pool(10));
    const agent = { ...pool(1).agent, limits: { maxDeleteShare: 1, maxDeleteCount: 100, windowMs: 1_000 } };
    expect(guarded.see(pool(10, [1, 2, 3, 4], { agent })).hold).not.toBeNull();
  });

  it('measures newcomers by what was there with them: a fleet that has just grown may lose its share', () => {
    const guarded = new Guarded(pool(0));
    guarded.wait(MINUTE).see(pool(100));
    expect(guarded.wait(MINUTE).see(pool(100, [1, 2, 3, 4, 5])).hold).toBeNull();
    const many = Array.from({ length: 31 }, (_, index) => index + 1);
    expect(guarded.wait(MINUTE).see(pool(100, many)).hold?.why).toMatch(/^31 of 100 reals would be lost/);
  });

  it('measures what was there before by what was there before: newcomers do not pay for it', () => {
    const guarded = new Guarded(pool(10));
    guarded.wait(MINUTE).see(pool(1_000));
    expect(guarded.wait(MINUTE).see(pool(1_000, [1, 2, 3])).hold).toBeNull();
    expect(guarded.wait(MINUTE).see(pool(1_000, [1, 2, 3, 4])).hold?.why).toMatch(/^4 of 10 reals would be lost/);
    // Nor when the four come and go first, to look like newcomers.
    expect(guarded.see(pool(1_000)).hold).toBeNull();
    expect(guarded.see(pool(1_000, [4, 5, 6])).hold).toBeNull();
    expect(guarded.see(pool(1_000)).hold).toBeNull();
    expect(guarded.see(pool(1_000, [1, 4, 5, 6])).hold).not.toBeNull();
  });

  it('takes a new name for no newcomer', () => {
    const renamed = configuration(
      [
        service(
          'web',
          Array.from({ length: 10 }, (_, n) => real(`new${n}`, `10.0.0.${n + 1}`)),
        ),
      ],
      { revision: 'sha256:renamed' },
    );
    const names = Object.values(renamed.services['web']?.reals ?? {});
    const guarded = new Guarded(pool(10));
    guarded.wait(MINUTE).see(renamed);
    const grown = (from: number): Desired => {
      const more = Array.from({ length: 200 }, (_, n) => real(`more${n}`, `10.1.0.${n + 1}`));
      return configuration([service('web', [...names.slice(from), ...more])], { revision: `sha256:grown ${from}` });
    };
    guarded.wait(MINUTE).see(grown(0));
    expect(guarded.wait(MINUTE).see(grown(4)).hold?.why).toMatch(/^4 of 10 reals/);
  });

  it('names one service as one', () => {
    const agent = { ...pool(1).agent, limits: { maxDeleteShare: 0.1, maxDeleteCount: 0, windowMs: 60_000 } };
    const guarded = new Guarded(pool(1, [], { agent }));
    const { hold } = guarded.see(configuration([], { agent, revision: 'sha256:none' }));
    expect(hold?.why).toBe('1 of 1 service would be lost within 1 min; without approval it is at most 0, or 10 %');
  });

  it('stays strict, and small, however often something changes', () => {
    const guarded = new Guarded(pool(10));
    for (let round = 1; round <= 1_000; round++) guarded.wait(1).see(pool(10 + (round % 2)));
    expect(guarded.outcome.window.sizes.length).toBeLessThanOrEqual(600);
    expect(guarded.see(pool(11, [1, 2, 3, 4])).hold).not.toBeNull();
  });

  it('holds nothing where the share is all', () => {
    const agent = { ...pool(1).agent, limits: { maxDeleteShare: 1, maxDeleteCount: 0, windowMs: 60_000 } };
    const guarded = new Guarded(pool(10, [], { agent }));
    expect(guarded.see(pool(0, [], { agent })).hold).toBeNull();
  });

  it('waits with losses while the store is still changing', () => {
    const guarded = new Guarded(pool(10));
    expect(guarded.see(pool(11, [1]), { settled: false }).hold).toBeNull();
    expect(guarded.names).toHaveLength(11);
    expect(guarded.outcome.window.losses).toEqual([]);
    expect(guarded.see(pool(11, [1])).hold).toBeNull();
    expect(guarded.names).toHaveLength(10);
  });

  it('does not age losses when the clock is set back', () => {
    const guarded = new Guarded(pool(10));
    guarded.see(pool(10, [1, 2, 3]));
    expect(guarded.wait(-60 * MINUTE).see(pool(10, [1, 2, 3, 4])).hold).not.toBeNull();
    expect(guarded.wait(11 * MINUTE).see(pool(10, [1, 2, 3, 4])).hold).toBeNull();
  });
});

describe('a tree that is gone', () => {
  const empty = configuration([], { vips: [], checks: {}, revision: 'sha256:empty' });

  it.each([
    ['without its root', { rootExists: false }, 'the root of the store is gone'],
    ['without a record', { empty: true }, 'the store was emptied: not one record is left'],
  ])('%s is held as a whole, drains included', (_name, change, why) => {
    const drains = {
      d: { name: 'd', target: { kind: 'vip', vip: 'shop' }, by: 'x', why: 'y', until: null, onExpiry: 'keep' },
    } as const;
    const first = pool(1, [], { drains });
    const guarded = new Guarded(first);
    const { accepted, hold } = guarded.see(empty, change);
    expect(accepted).toEqual(first);
    expect(hold).toMatchObject({ revision: 'sha256:empty', why });
    expect(guarded.see(empty, { ...change, approvals: new Map([['sha256:empty', '1']]) }).accepted).toEqual(empty);
  });

  it('without the settings of the agent is held as a whole', () => {
    const guarded = new Guarded(pool(3));
    const bare = { ...pool(1).agent, sources: [], bgp: null };
    const { accepted, hold } = guarded.see(pool(4, [], { agent: bare }));
    expect(accepted.agent.bgp).not.toBeNull();
    expect(hold?.why).toBe('the settings of this agent are gone (config/agents/lb1)');
  });

  it('is known by its records', () => {
    expect(isEmpty(recordSet({ [`approvals/${'0'.repeat(64)}`]: { by: 'ana' } }))).toBe(true);
    expect(isEmpty(recordSet({ 'checks/ok': SHOP['checks/ok'] }))).toBe(false);
  });
});

it('approvals are known by revision and by when they were made', () => {
  const digits = 'ab'.repeat(32);
  const records = recordSet({ [`approvals/${digits}`]: { by: 'ana' } }, { [`approvals/${digits}`]: 42 });
  expect([...approvalsOf(records)]).toEqual([[`sha256:${digits}`, '42']]);
});
