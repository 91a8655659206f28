import { expect, it, onTestFinished } from 'vitest';
import { ShardedCheckRunner } from '../../../src/checks/runner.ts';
import { openWorkerShard } from '../../../src/checks/shard-link.ts';
import type { Log } from '../../../src/core/ports.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { workerEntry } from '../../../src/core/worker-entry.ts';
import { SCRIPTED, wanted } from '../../fakes/scripted-check.ts';
import { eventually } from '../../lab/eventually.ts';

const check = (type: string) =>
  wanted(type, { port: type.length, definition: { ...SCRIPTED, type, intervalMs: 200, timeoutMs: 200 } });

it.each([
  ['exits', 'exit', /exit code 7/],
  ['throws where nobody catches it', 'throw', /nobody catches this/],
  ['runs out of memory', 'exhaust', /memory limit/],
])('a thread that %s is restarted, and no verdict turns', async (_what, deed, reason) => {
  const reasons: string[] = [];
  const log: Log = {
    ...silentLog,
    child: () => log,
    error: (fields) => void reasons.push((fields as { reason: string }).reason),
  };
  const open = openWorkerShard(workerEntry('./fragile-worker', import.meta.url), systemClock);
  const runner = new ShardedCheckRunner({ clock: systemClock, random: Math.random, log }, open);
  onTestFinished(() => runner.close());
  const steady = () => runner.verdicts().get('steady');

  runner.setWanted([check('steady')]);
  await eventually('the first verdict', () => steady()?.state === 'up');
  // A copy: what stands goes on with the probes.
  const before = { ...steady() };
  const seen = new Set<string | undefined>();
  runner.onChange(() => seen.add(steady()?.state));

  runner.setWanted([check('steady'), check(deed)]);
  await eventually('the thread died', () => reasons.length > 0);
  expect(reasons[0]).toMatch(reason);
  runner.setWanted([check('steady')]);

  await eventually('another thread probes on', () => (steady()?.at ?? 0) > (before.at ?? 0) + 1, {
    timeoutMs: 30_000,
  });
  expect(runner.stats().restarts).toBeGreaterThan(0);
  expect(steady()).toMatchObject({ state: 'up', since: before.since });
  seen.delete('up');
  expect([...seen]).toEqual([]);
});
