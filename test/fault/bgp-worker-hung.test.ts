import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { createSpeaker, type SpeakerWorker } from '../../src/bgp/worker-speaker.ts';
import { silentLog } from '../../src/core/ports.ts';
import { workerEntry } from '../../src/core/worker-entry.ts';
import { route, speakerSettings } from '../fakes/bgp-settings.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { eventually } from '../lab/eventually.ts';

it('a worker that stands still holds nobody up, is ended, and another takes its place', async () => {
  const clock = new ManualClock();
  const errors: unknown[] = [];
  let workers = 0;
  const spawn = (): SpeakerWorker => {
    if (workers++ === 0) return new Worker('for (;;);', { eval: true });
    const { file, execArgv } = workerEntry('../../src/bgp/worker', import.meta.url);
    return new Worker(file, { execArgv });
  };
  const log = { ...silentLog, error: (fields: object) => void errors.push(fields) };
  const proxy = createSpeaker({ clock, random: () => 0, log, spawn });
  onTestFinished(() => proxy.stop({ kind: 'restart' }));
  proxy.configure(speakerSettings({ peers: [] }));
  const stuck = proxy.setRoutes([route('203.0.113.1')], 1_000);
  await clock.advanceAsync(2_000);
  expect(await stuck).toEqual({ flushed: false });
  for (let asked = 0; asked < 3; asked++) await clock.advanceAsync(2_000);
  await eventually('it is ended', () => errors.length > 0);
  expect(errors).toMatchObject([{ code: 'WORKER_DIED', cause: 'it had ceased to answer' }]);
  await clock.advanceAsync(200);
  expect(workers).toBe(2);
  expect(await proxy.setRoutes([route('203.0.113.1'), route('203.0.113.2')], 1_000)).toEqual({ flushed: true });
});
