import { parentPort } from 'node:worker_threads';
import { checkTypes } from '../checks/catalog.ts';
import { messageLog } from '../checks/message-log.ts';
import type { FromShard, ToShard } from '../checks/protocol.ts';
import { Shard } from '../checks/shard.ts';
import { systemClock } from '../core/system-clock.ts';
import type { Ensembles } from '../sources/zookeeper/ensembles.ts';

/*
 * The entry of a checking thread, and the root that builds what is in it. Whatever escapes here ends the thread, and
 * the runner starts another.
 */

if (parentPort === null) throw new Error('this module runs in a worker thread only');
const port = parentPort;

const clock = systemClock;
const random = Math.random;
const send = (message: FromShard): void => port.postMessage(message);

/** What could not be loaded is not tried again for this long, though thousands of probes ask for it. */
const RELOAD_MS = 1_000;
let znodes: Promise<Ensembles> | undefined;

/** Loaded with the first check that asks for a znode: every other agent would carry the code for nothing. */
async function openZnodes(): Promise<Ensembles> {
  const module = await import('../sources/zookeeper/ensembles.ts');
  return new module.Ensembles({ clock, random, log: messageLog(send) });
}

function sharedZnodes(): Promise<Ensembles> {
  if (znodes === undefined) {
    znodes = openZnodes();
    znodes.catch(() => clock.after(RELOAD_MS, () => (znodes = undefined)));
  }
  return znodes;
}

const shard = new Shard({ clock, random, types: checkTypes, znodes: sharedZnodes, send });
port.on('message', (message: ToShard) => {
  shard.receive(message);
  if (message.kind === 'stop') void end();
});

/** The end of this thread, not of the process. */
async function end(): Promise<void> {
  const opened = await znodes?.catch(() => undefined);
  await opened?.close();
  process.exit();
}
