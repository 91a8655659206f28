import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import { describeDataplaneContract, forwarder } from '../contract/dataplane-contract.ts';

const run = promisify(execFile);

const deps = { clock: systemClock, log: silentLog };

async function clear(): Promise<void> {
  await run('ipvsadm', ['--clear']);
}

async function saved(): Promise<string[]> {
  const { stdout } = await run('ipvsadm', ['--save', '--numeric']);
  return stdout.trim().split('\n');
}

/** IP_VS_VERSION_CODE of every kernel since 2.6.20, and conn_tab_bits as Debian builds it. */
const info = { version: '1.2.1', connectionTableSize: 4_096 };

// The kernel's table is emptied and read by ipvsadm, whichever adapter is under test.
describeDataplaneContract('ipvs', {
  create: () => Promise.resolve(createDataplane('ipvs', deps)),
  reset: clear,
  saved,
  info,
  manyReals: 10_000,
});

let current: Dataplane | undefined;
describeDataplaneContract('ipvsadm', {
  create: () => Promise.resolve(forwarder('ipvsadm', () => current)),
  // A fresh one each time: it would plan with a picture of the table that `ipvsadm --clear` belied.
  reset: async () => {
    await clear();
    current = createDataplane('ipvsadm', deps);
  },
  saved,
  info,
  // Starting a process costs a guest a large part of a second; the count of runs does not depend on this.
  manyReals: 1_000,
});
