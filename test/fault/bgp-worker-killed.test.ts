import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import type { Speaker } from '../../src/bgp/port.ts';
import { createSpeaker, type SpeakerWorker } from '../../src/bgp/worker-speaker.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { workerEntry } from '../../src/core/worker-entry.ts';
import { route, speakerSettings } from '../fakes/bgp-settings.ts';
import { Bird } from '../lab/bird.ts';
import { established, learned, peerOf } from '../lab/bgp-speaker.ts';
import { eventually } from '../lab/eventually.ts';

let bird: Bird | undefined;
let speaker: Speaker | undefined;

afterEach(async () => {
  await speaker?.stop({ kind: 'restart' });
  await bird?.stop();
});

it('a worker that dies comes back as a graceful restart: the router never loses a route', async () => {
  const router = await Bird.start({ address: '127.0.0.25', asn: 65000, agentAddress: '127.0.0.2', agentAsn: 65001 });
  bird = router;
  const workers: Worker[] = [];
  const errors: unknown[] = [];
  const spawn = (): SpeakerWorker => {
    const { file, execArgv } = workerEntry('../../src/bgp/worker', import.meta.url);
    const worker = new Worker(file, { execArgv });
    workers.push(worker);
    return worker;
  };
  const log = { ...silentLog, error: (fields: object) => void errors.push(fields) };
  const proxy = createSpeaker({ clock: systemClock, random: Math.random, log, spawn });
  speaker = proxy;
  proxy.configure(speakerSettings({ peers: [peerOf(router)] }));
  void proxy.setRoutes([route('203.0.113.1'), route('2001:db8::1')], 1000);
  proxy.releaseEndOfRib();
  await learned(router, ['203.0.113.1/32', '2001:db8::1/128']);

  await workers[0]?.terminate();
  expect(errors).toMatchObject([{ code: 'WORKER_DIED' }]);
  expect(proxy.peers()).toMatchObject([{ name: 'tor1', state: 'idle' }]);
  let least = Infinity;
  // A change that comes while there is no worker must reach the next one.
  void proxy.setRoutes([route('203.0.113.1'), route('2001:db8::1'), route('203.0.113.2')], 0);
  await eventually('the new route is there', async () => {
    const found = await router.routes();
    least = Math.min(least, found.size);
    return found.size === 3;
  });
  await established(proxy);
  expect(least).toBe(2);
  expect(workers).toHaveLength(2);
});
