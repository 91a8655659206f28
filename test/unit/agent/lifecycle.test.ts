import { describe, expect, it } from 'vitest';
import { runSteps } from '../../../src/agent/lifecycle.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';

function setUp() {
  const clock = new ManualClock();
  const log = new RecordingLog();
  const ran: string[] = [];
  const step = (name: string, work: () => Promise<void> = () => Promise.resolve()) => ({
    name,
    run: () => {
      ran.push(name);
      return work();
    },
  });
  return { clock, log, ran, step, deps: { clock, log } };
}

describe('the steps of a stop', () => {
  it('come one after the other', async () => {
    const { ran, step, deps, clock } = setUp();
    let finish = (): void => undefined;
    const slow = new Promise<void>((resolve) => (finish = resolve));
    const stopped = runSteps([step('first', () => slow), step('second')], 5_000, deps);
    await clock.advanceAsync(4_999);
    expect(ran).toEqual(['first']);
    finish();
    await stopped;
    expect(ran).toEqual(['first', 'second']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('do not wait for one that takes longer than the deadline', async () => {
    const { ran, step, deps, clock, log } = setUp();
    const stopped = runSteps([step('stuck', () => new Promise<never>(() => undefined)), step('next')], 5_000, deps);
    await clock.advanceAsync(5_000);
    await stopped;
    expect(ran).toEqual(['stuck', 'next']);
    expect(log.lines).toMatchObject([{ level: 'error', fields: { step: 'stuck', deadlineMs: 5_000 } }]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('the disk is full'))],
    [
      'throws',
      () => {
        throw new Error('the disk is full');
      },
    ],
  ])('go on after one that %s, and tell why', async (_how, work) => {
    const { ran, step, deps, clock, log } = setUp();
    await runSteps([step('broken', work), step('next')], 5_000, deps);
    expect(ran).toEqual(['broken', 'next']);
    expect(log.lines).toMatchObject([{ level: 'error', fields: { step: 'broken', error: 'the disk is full' } }]);
    expect(clock.pendingTimers).toBe(0);
  });
});
