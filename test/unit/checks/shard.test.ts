import { describe, expect, it } from 'vitest';
import type { ProbeOutcome } from '../../../src/checks/outcome.ts';
import type { FromShard, JudgeSpec, Notice } from '../../../src/checks/protocol.ts';
import { Shard } from '../../../src/checks/shard.ts';
import type { Random } from '../../../src/core/ports.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { NOT_RUN, SCRIPTED, SUCCESS, scriptedCheck } from '../../fakes/scripted-check.ts';

/** Long enough for every verdict to be told again, whatever it is. */
const TOLD_AGAIN_MS = 15_000;
const JUDGE: JudgeSpec = {
  id: 7,
  probe: 3,
  definition: 1,
  address: '10.0.0.1' as IpAddress,
  port: 80,
  rise: 2,
  fall: 3,
  seed: null,
};

function shardOf(answer: () => ProbeOutcome | Promise<ProbeOutcome>, random: Random = () => 0.5) {
  const clock = new ManualClock();
  const started = clock.now();
  const startedAt: number[] = [];
  const { types } = scriptedCheck(() => {
    startedAt.push(clock.monotonic());
    return answer();
  });
  const notices: Notice[] = [];
  const send = (message: FromShard): void => {
    if (message.kind === 'notices') notices.push(...message.notices);
  };
  const shard = new Shard({ clock, random, types, send });
  const add = (seed: JudgeSpec['seed'] = null, definition = SCRIPTED): void => {
    shard.receive({ kind: 'define', id: 1, definition });
    shard.receive({ kind: 'add', judges: [{ ...JUDGE, seed }] });
  };
  return { clock, started, startedAt, notices, add };
}

const never = (): Promise<ProbeOutcome> => new Promise(() => undefined);

describe('the figures of the last probe', () => {
  it('are none before the first has finished', async () => {
    const { clock, started, notices, add } = shardOf(never);
    add();
    await clock.advanceAsync(TOLD_AGAIN_MS);
    const first = { id: 7, state: 'unknown', since: started, cause: 'no result yet', latencyMs: null, at: null };
    expect(notices[0]).toEqual(first);
  });

  it('are those of an earlier shard until this one has its own', async () => {
    const { clock, notices, add } = shardOf(never);
    const seed = { state: 'up', since: 1, cause: '200 in 12 ms', latencyMs: 12, at: 34 } as const;
    add({ ...seed, judged: true });
    await clock.advanceAsync(TOLD_AGAIN_MS);
    expect(notices[0]).toEqual({ id: 7, ...seed });
  });

  it('are of one that could not be run when it was, but not how long it took', async () => {
    let answer = NOT_RUN;
    const { clock, notices, add } = shardOf(() => answer);
    add();
    await clock.advanceAsync(100);
    const [first] = notices;
    expect(first).toMatchObject({ state: 'unknown', latencyMs: null, at: expect.any(Number) as number });
    answer = SUCCESS;
    await clock.advanceAsync(TOLD_AGAIN_MS);
    const heard = notices.at(-1);
    expect(heard).toMatchObject({ state: 'up', latencyMs: 3.2 });
    answer = NOT_RUN;
    await clock.advanceAsync(TOLD_AGAIN_MS);
    expect(notices.at(-1)).toMatchObject({ state: 'unknown', latencyMs: 3.2 });
    expect(notices.at(-1)?.at).toBeGreaterThan(heard?.at ?? Infinity);
  });
});

it('a probe starts as irregularly as its definition says', async () => {
  const starts = async (jitter: number): Promise<number> => {
    let calls = 0;
    const { clock, startedAt, add } = shardOf(
      () => SUCCESS,
      () => (calls++ % 2 === 0 ? 0.1 : 0.9),
    );
    add(null, { ...SCRIPTED, jitter });
    await clock.advanceAsync(30_000);
    const steps = startedAt.slice(2).map((at, index) => at - (startedAt[index + 1] ?? NaN));
    return Math.max(...steps) - Math.min(...steps);
  };
  expect(await starts(0)).toBeLessThan(10);
  // Half of 2 s, by 0.8 of it and back again.
  expect(await starts(0.5)).toBeGreaterThan(1_500);
});
