import { parentPort } from 'node:worker_threads';
import { systemClock } from '../core/system-clock.ts';
import { checkTypes } from './catalog.ts';
import type { ToShard } from './protocol.ts';
import { Shard } from './shard.ts';

/* The entry of a checking thread. Whatever escapes here ends the thread, and the runner starts another. */

if (parentPort === null) throw new Error('this module runs in a worker thread only');
const port = parentPort;

const shard = new Shard({
  clock: systemClock,
  random: Math.random,
  types: checkTypes,
  send: (message) => port.postMessage(message),
});
port.on('message', (message: ToShard) => shard.receive(message));
