import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import koffi from 'koffi';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { KernelDataplane } from '../../../src/ipvs/kernel-dataplane.ts';
import { NETLINK_GENERIC } from '../../../src/ipvs/netlink/constants.ts';
import { socketTransport } from '../../../src/ipvs/netlink/socket-transport.ts';

/** Time for the kernel to take a left namespace apart; where the clock counts instructions, waiting is free. */
const SETTLE_MS = 8_000;
const CLONE_NEWNET = 0x4000_0000;

const unshare = koffi.load('libc.so.6').func('int unshare(int)') as (flags: number) => number;

/**
 * This thread, the sockets it opens and the programs it starts are in a new namespace from here on: reals that were
 * deleted stay in a list for a while, and later additions walk it.
 */
export async function freshNamespace(): Promise<void> {
  if (unshare(CLONE_NEWNET) !== 0) throw new Error(`unshare: errno ${koffi.errno()}`);
  // Before a namespace has its first address, every address in it is a broadcast one, and so no real (EINVAL).
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  await pause(SETTLE_MS);
}

export const openTransport = socketTransport(NETLINK_GENERIC, systemClock);

export function openDataplane(open = openTransport): KernelDataplane {
  return new KernelDataplane({
    open,
    clock: systemClock,
    log: silentLog,
    loadModule: () => Promise.resolve(),
  });
}

export function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`not so: ${what}`);
}
