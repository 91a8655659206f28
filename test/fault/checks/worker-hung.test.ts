import { expect, it, onTestFinished } from 'vitest';
import { ShardedCheckRunner } from '../../../src/checks/runner.ts';
import { openWorkerShard } from '../../../src/checks/shard-link.ts';
import { PING_MS } from '../../../src/checks/shard-supervisor.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { workerEntry } from '../../../src/core/worker-entry.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { SCRIPTED, wanted } from '../../fakes/scripted-check.ts';
import { eventually } from '../../lab/eventually.ts';

const check = (type: string) => wanted(type, { port: type.length, definition: { ...SCRIPTED, type } });

it('a thread that stands still is replaced; its verdicts are doubted, never down, and come back', async () => {
  const clock = new ManualClock();
  const open = openWorkerShard(workerEntry('./fragile-worker', import.meta.url), systemClock);
  const runner = new ShardedCheckRunner({ clock, random: () => 0, log: silentLog }, open);
  onTestFinished(() => runner.close());
  const state = () => runner.verdicts().get('steady')?.state;
  const seen = new Set<string | undefined>();
  runner.onChange(() => seen.add(state()));

  runner.setWanted([check('steady')]);
  await eventually('the first verdict', () => state() === 'up');

  runner.setWanted([check('steady'), check('hang')]);
  await eventually(
    'the thread is given up',
    async () => {
      await clock.advanceAsync(PING_MS);
      return runner.stats().restarts === 1;
    },
    { everyMs: 200 },
  );
  expect(state()).toBe('unknown');

  runner.setWanted([check('steady')]);
  await clock.advanceAsync(200);
  await eventually('another thread has judged', () => state() === 'up');
  expect([...seen].sort()).toEqual(['unknown', 'up']);
});
