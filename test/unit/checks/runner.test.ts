import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProbeOutcome } from '../../../src/checks/outcome.ts';
import type { Verdict } from '../../../src/checks/port.ts';
import type { Endpoint } from '../../../src/checks/prober.ts';
import { createLocalCheckRunner } from '../../../src/checks/runner.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { runs } from '../../fakes/property.ts';
import { FAILURE, NOT_RUN, SCRIPTED, SUCCESS, scriptedCheck, wanted } from '../../fakes/scripted-check.ts';

const UP: Verdict = { state: 'up', since: 1_000, cause: '200 in 1 ms', latencyMs: 1, at: 2_000 };

function local(answer: (endpoint: Endpoint) => ProbeOutcome | Promise<ProbeOutcome> = () => SUCCESS, workers = 1) {
  const clock = new ManualClock();
  const { types, probed } = scriptedCheck(answer);
  const runner = createLocalCheckRunner({ clock, random: () => 0.5, log: silentLog, types, workers });
  let pokes = 0;
  runner.onChange(() => pokes++);
  const state = (key: string) => runner.verdicts().get(key)?.state;
  /** Lets time pass until so many more probes have ended and been told of. */
  const probes = async (count: number): Promise<void> => {
    const target = probed.length + count;
    while (probed.length < target) await clock.advanceAsync(10);
    await clock.advanceAsync(30);
  };
  return { clock, runner, probed, probes, state, pokes: () => pokes };
}

describe('a wanted check', () => {
  it('is unknown until its first probe, which comes at once', async () => {
    const { clock, runner, state, pokes } = local();
    runner.setWanted([wanted('a')]);
    expect(runner.verdicts().get('a')).toEqual({
      state: 'unknown',
      since: clock.now(),
      cause: 'no result yet',
      latencyMs: null,
      at: null,
    });
    expect(runner.settled()).toBe(false);
    await clock.advanceAsync(100);
    expect(state('a')).toBe('up');
    expect(runner.verdicts().get('a')).toMatchObject({ cause: '200 in 3 ms', latencyMs: 3.2 });
    expect([runner.settled(), pokes()]).toEqual([true, 1]);
  });

  it('is told to have changed when it says something else, and not for each probe that says the same', async () => {
    let answer = SUCCESS;
    const { runner, probes, state } = local(() => answer);
    const start = runner.changes(null);
    expect(start.keys).toBeNull();
    runner.setWanted([wanted('a'), wanted('b')]);
    expect(runner.changes(start.mark).keys).toEqual(new Set(['a', 'b']));
    await probes(2);
    const { mark } = runner.changes(start.mark);
    const before = runner.verdicts().get('a');
    const probedAt = before?.at ?? Infinity;
    // Long enough for every verdict to be told again.
    await probes(40);
    expect(runner.verdicts().get('a')?.at).toBeGreaterThan(probedAt);
    expect(runner.changes(mark)).toEqual({ mark, keys: new Set() });
    answer = FAILURE;
    await probes(8);
    expect([state('a'), runner.changes(mark).keys]).toEqual(['down', new Set(['a', 'b'])]);
    const { mark: down } = runner.changes(mark);
    runner.setWanted([wanted('a')]);
    expect(runner.changes(down).keys).toEqual(new Set(['b']));
  });

  it('goes down after `fall` failures and says so once', async () => {
    let answer = SUCCESS;
    const { runner, probes, state, pokes } = local(() => answer);
    runner.setWanted([wanted('a', { fall: 3 })]);
    await probes(1);
    answer = FAILURE;
    await probes(2);
    expect(state('a')).toBe('up');
    await probes(1);
    expect(runner.verdicts().get('a')).toMatchObject({ state: 'down', cause: 'status 503' });
    await probes(10);
    expect(pokes()).toBe(2);
  });

  it('is never down because it could not be run', async () => {
    let answer = NOT_RUN;
    const { clock, runner, state } = local(() => answer);
    runner.setWanted([wanted('a'), wanted('b', { address: '10.0.0.2' })], new Map([['b', UP]]));
    await clock.advanceAsync(60_000);
    expect([state('a'), state('b')]).toEqual(['unknown', 'unknown']);
    expect(runner.verdicts().get('b')?.cause).toBe('not run: too many open files');
    expect(runner.settled()).toBe(true);
    answer = SUCCESS;
    await clock.advanceAsync(4_000);
    expect([state('a'), state('b')]).toEqual(['up', 'up']);
  });

  it('of a type that nobody knows cannot be run', async () => {
    const { clock, runner } = local();
    runner.setWanted([wanted('a', { definition: { ...SCRIPTED, type: 'smtp' } })]);
    await clock.advanceAsync(1_000);
    expect(runner.verdicts().get('a')).toMatchObject({
      state: 'unknown',
      cause: 'not run: there is no check type "smtp"',
    });
  });

  it('whose probe breaks is reported as our defect and goes on', async () => {
    let broken = true;
    const { clock, runner, state } = local(() => {
      if (broken) throw new Error('oops');
      return SUCCESS;
    });
    runner.setWanted([wanted('a')]);
    await clock.advanceAsync(1_000);
    expect(runner.verdicts().get('a')?.cause).toBe('not run: defect in the check: oops');
    broken = false;
    await clock.advanceAsync(3_000);
    expect(state('a')).toBe('up');
  });
});

describe('a new wanted set', () => {
  it('leaves the schedule and the state of what stays alone', async () => {
    const { clock, runner, probed, state } = local();
    runner.setWanted([wanted('a')]);
    await clock.advanceAsync(10_000);
    const before = probed.length;
    for (let edit = 0; edit < 50; edit++) {
      runner.setWanted([wanted('a'), wanted(`other ${edit}`, { address: `10.0.1.${edit}` })]);
      await clock.advanceAsync(10);
    }
    expect(state('a')).toBe('up');
    const ofA = probed.slice(before).filter((target) => target === '10.0.0.1:80');
    expect(ofA.length).toBeLessThanOrEqual(1);
  });

  it('forgets what is not wanted any more', async () => {
    const { clock, runner, probed } = local();
    runner.setWanted([wanted('a')]);
    await clock.advanceAsync(3_000);
    runner.setWanted([]);
    const before = probed.length;
    await clock.advanceAsync(30_000);
    expect(Array.from(runner.verdicts(), ([key]) => key)).toEqual([]);
    expect(probed.length).toBe(before);
    expect(runner.settled()).toBe(true);
  });

  it('with other thresholds goes on from what is known of the target', async () => {
    let answer = SUCCESS;
    const { runner, probes, state } = local(() => answer);
    runner.setWanted([wanted('a, fall 3')]);
    await probes(2);
    answer = FAILURE;
    runner.setWanted([wanted('a, fall 2', { fall: 2 })]);
    expect(state('a, fall 2')).toBe('up');
    await probes(1);
    expect(state('a, fall 2')).toBe('up');
    await probes(1);
    expect(state('a, fall 2')).toBe('down');
  });

  it('with another target under an old key starts anew', async () => {
    const { clock, runner, state, probed } = local();
    runner.setWanted([wanted('a')]);
    await clock.advanceAsync(3_000);
    runner.setWanted([wanted('a', { address: '10.0.0.9' })]);
    expect([state('a'), runner.settled()]).toEqual(['unknown', false]);
    await clock.advanceAsync(1_000);
    expect([state('a'), probed.at(-1), runner.settled()]).toEqual(['up', '10.0.0.9:80', true]);
  });

  it('takes restored verdicts for new keys only', async () => {
    const { clock, runner, state } = local(() => FAILURE);
    runner.setWanted([wanted('a', { fall: 2 })], new Map([['a', UP]]));
    expect(runner.verdicts().get('a')).toEqual(UP);
    expect(runner.settled()).toBe(true);
    await clock.advanceAsync(100);
    expect(state('a')).toBe('up');
    await clock.advanceAsync(3_000);
    expect(state('a')).toBe('down');
    runner.setWanted([wanted('a', { fall: 2 })], new Map([['a', UP]]));
    expect(state('a')).toBe('down');
  });
});

describe('targets that are the same', () => {
  it('are probed once, and judged by the thresholds of each', async () => {
    let answer = SUCCESS;
    const { clock, runner, probed, state } = local(() => answer);
    // The same definition need not be the same object.
    const copy = { jitter: 0, timeoutMs: 1_000, intervalMs: 2_000, type: 'scripted' };
    runner.setWanted([wanted('strict', { fall: 1 }), wanted('patient', { fall: 5, definition: copy })]);
    await clock.advanceAsync(1_500);
    answer = FAILURE;
    await clock.advanceAsync(3_000);
    expect([state('strict'), state('patient')]).toEqual(['down', 'up']);
    await clock.advanceAsync(20_000);
    expect(state('patient')).toBe('down');
    expect(probed.length).toBeLessThanOrEqual(14);
  });

  it('are the same when a definition brings its own port', async () => {
    const { clock, runner, probed } = local();
    const definition = { ...SCRIPTED, port: 9_000 };
    runner.setWanted([wanted('a', { port: 80, definition }), wanted('b', { port: 81, definition })]);
    await clock.advanceAsync(1_000);
    expect(probed).toEqual(['10.0.0.1:9000']);
    expect([...runner.verdicts()].length).toBe(2);
  });
});

describe('the runner', () => {
  it('goes on telling others when one listener fails', async () => {
    const { clock, runner, pokes } = local();
    runner.onChange(() => {
      throw new Error('a bad listener');
    });
    let late = 0;
    const off = runner.onChange(() => late++);
    runner.setWanted([wanted('a')]);
    await clock.advanceAsync(100);
    expect([pokes(), late]).toEqual([1, 1]);
    off();
    runner.setWanted([wanted('b', { address: '10.0.0.2' })]);
    await clock.advanceAsync(100);
    expect([pokes(), late]).toEqual([2, 1]);
  });

  it('is quiet after it was closed', async () => {
    const { clock, runner, probed, pokes } = local();
    runner.setWanted([wanted('a')]);
    await runner.close();
    runner.setWanted([wanted('b')]);
    await clock.advanceAsync(60_000);
    expect([probed.length, pokes(), clock.pendingTimers]).toEqual([0, 0, 0]);
  });

  it('writes its own verdicts, not those that it was given', async () => {
    // The very words of the next result: then only the figures are written.
    const before = { ...UP, cause: '200 in 3 ms' };
    const restored = new Map([['a', { ...before }]]);
    const { runner, probes } = local();
    runner.setWanted([wanted('a')], restored);
    await probes(20);
    expect(runner.verdicts().get('a')?.at).toBeGreaterThan(UP.at ?? Infinity);
    expect(restored.get('a')).toEqual(before);
  });

  it('counts what its shards did', async () => {
    const { clock, runner } = local(({ port }) => (port === 80 ? SUCCESS : FAILURE), 3);
    runner.setWanted([wanted('a'), wanted('b', { port: 81 })]);
    await clock.advanceAsync(10_100);
    const { probes, succeeded, failed, notRun, restarts } = runner.stats();
    expect({ probes, notRun, restarts }).toEqual({ probes: 2, notRun: 0, restarts: 0 });
    expect(succeeded).toBeGreaterThanOrEqual(4);
    expect(failed).toBe(succeeded);
  });

  it('keeps exactly what is wanted, over any sequence of sets', async () => {
    const anySet = fc.uniqueArray(fc.record({ real: fc.integer({ min: 1, max: 6 }), fall: fc.constantFrom(1, 3) }), {
      maxLength: 12,
      selector: ({ real, fall }) => `${real} ${fall}`,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anySet, { maxLength: 8 }), async (sets) => {
        const { clock, runner, probed, state } = local(({ address }) => (address.endsWith('6') ? FAILURE : SUCCESS), 2);
        for (const set of sets) {
          const checks = set.map(({ real, fall }) => wanted(`${real} ${fall}`, { address: `10.0.0.${real}`, fall }));
          runner.setWanted(checks);
          await clock.advanceAsync(50);
          expect(runner.settled()).toBe(true);
          expect(Array.from(runner.verdicts(), ([key]) => key).sort()).toEqual(checks.map(({ key }) => key).sort());
          for (const { real, fall } of set) expect(state(`${real} ${fall}`)).toBe(real === 6 ? 'down' : 'up');
        }
        probed.length = 0;
        await clock.advanceAsync(3_100);
        const reals = new Set((sets.at(-1) ?? []).map(({ real }) => `10.0.0.${real}:80`));
        expect(new Set(probed)).toEqual(reals);
        await runner.close();
      }),
      runs(60),
    );
  });
});
