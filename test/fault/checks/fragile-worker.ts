import { parentPort } from 'node:worker_threads';
import type { CheckType } from '../../../src/checks/definition.ts';
import { checkType } from '../../../src/checks/definition.ts';
import type { ProbeOutcome } from '../../../src/checks/outcome.ts';
import type { ToShard } from '../../../src/checks/protocol.ts';
import { Shard } from '../../../src/checks/shard.ts';
import { systemClock } from '../../../src/core/system-clock.ts';

/* A checking thread as the real one, but with check types that bring it down. */

const success: Promise<ProbeOutcome> = Promise.resolve({ kind: 'success', cause: 'steady', latencyMs: 1 });

const deeds: Readonly<Record<string, () => Promise<ProbeOutcome>>> = {
  steady: () => success,
  exit: () => process.exit(7),
  throw() {
    setImmediate(() => {
      throw new Error('nobody catches this');
    });
    return success;
  },
  hang() {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    return success;
  },
  exhaust() {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array<number>(1_000_000).fill(0.5));
  },
};

const types = Object.entries(deeds).map(([type, deed]): [string, CheckType] => [
  type,
  checkType({ type, summary: '', fields: () => ({}), example: {}, define: () => ({}), prober: () => deed }),
]);

const port = parentPort;
if (port === null) throw new Error('not a worker');
const shard = new Shard({
  clock: systemClock,
  random: Math.random,
  types: new Map(types),
  send: (message) => port.postMessage(message),
});
port.on('message', (message: ToShard) => {
  shard.receive(message);
  if (message.kind === 'stop') process.exit();
});
