import { Worker } from 'node:worker_threads';
import { describeError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { WorkerEntry } from '../core/worker-entry.ts';
import type { FromShard, ToShard } from './protocol.ts';
import type { ShardDeps } from './shard.ts';
import { Shard } from './shard.ts';

/** The near end of a shard. */
export interface ShardLink {
  post(message: ToShard): void;
  /** Ends the shard; `onEnd` is not called any more. */
  close(): Promise<void>;
}

export interface ShardEvents {
  onMessage(message: FromShard): void;
  /** The shard is gone without having been asked to; called once. */
  onEnd(reason: string): void;
}

export type OpenShard = (events: ShardEvents) => ShardLink;

/**
 * Garbage of finished probes fills the young generation between collections, so its size is most of what a worker
 * costs; the limit on the old one turns a leak into a restart of this worker instead of an end of the agent.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };

/** A thread that is told to end does so at once, but for what it says goodbye to; then it is ended. */
const GOODBYE_MS = 1_500;

/** A shard on a thread of its own. */
export function openWorkerShard(entry: WorkerEntry, clock: Clock): OpenShard {
  return (events) => startWorker(entry, clock, events);
}

function startWorker({ file, execArgv }: WorkerEntry, clock: Clock, events: ShardEvents): ShardLink {
  const worker = new Worker(file, { execArgv, name: 'checks', resourceLimits: RESOURCE_LIMITS });
  let reason: string | undefined;
  let closing = false;
  worker.on('message', (message: FromShard) => {
    if (!closing) events.onMessage(message);
  });
  worker.on('error', (error) => {
    reason = describeError(error);
  });
  worker.on('exit', (code) => {
    if (!closing) events.onEnd(reason ?? `exit code ${code}`);
  });
  return {
    post: (message) => worker.postMessage(message),
    async close() {
      closing = true;
      worker.postMessage({ kind: 'stop' } satisfies ToShard);
      await new Promise<void>((resolve) => {
        const cancel = clock.after(GOODBYE_MS, resolve);
        worker.once('exit', () => {
          cancel();
          resolve();
        });
      });
      await worker.terminate();
    },
  };
}

/** A shard on this very thread, for tests and for tools: what passes is copied as between threads. */
export function openLocalShard(deps: Omit<ShardDeps, 'send'>): OpenShard {
  return (events) => {
    const shard = new Shard({ ...deps, send: (message) => events.onMessage(structuredClone(message)) });
    return {
      post: (message) => shard.receive(structuredClone(message)),
      close() {
        shard.stop();
        return Promise.resolve();
      },
    };
  };
}
