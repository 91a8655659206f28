import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import koffi from 'koffi';
import { newCounters } from '../../../src/agent/counters.ts';
import { JournalFile } from '../../../src/agent/journal-file.ts';
import { KernelDriver } from '../../../src/agent/kernel-driver.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { KernelDataplane } from '../../../src/ipvs/kernel-dataplane.ts';
import { noPacketMarks } from '../../../src/ipvs/packet-marks.ts';
import { MemoryInterfaceAddresses } from '../../../src/ipvs/memory-interface-addresses.ts';
import { NETLINK_GENERIC } from '../../../src/ipvs/netlink/constants.ts';
import { streamTransport } from '../../../src/ipvs/netlink/stream-transport.ts';
import { fullPlan, REALS, restoreText, wanted } from './workload.ts';

/*
 * Runs where there is IPVS and a true clock, and prints one line of JSON. Every measurement has a network namespace of
 * its own: reals that were deleted stay in a list for a while, and later additions walk it.
 */

export interface Measured {
  readonly ipvsadmMs: readonly number[];
  readonly applyMs: readonly number[];
  /** The longest time that the event loop was held up during each of `applyMs`. */
  readonly stallMs: readonly number[];
  readonly applyMessages: number;
  readonly start: { readonly readMs: number; readonly readings: number; readonly writes: number };
  readonly verifyMs: readonly number[];
  readonly edit: { readonly ms: readonly number[]; readonly messages: number; readonly dumps: number };
}

/** The first rounds warm the process up. */
const WARM_UP = 3;
const ROUNDS = 5;
const EDITS = 20;
const SERVICES_AND_REALS = fullPlan().length;
/** Time for the kernel to take a left namespace apart; where the clock counts instructions, waiting is free. */
const SETTLE_MS = 8_000;
const CLONE_NEWNET = 0x4000_0000;

const unshare = koffi.load('libc.so.6').func('int unshare(int)') as (flags: number) => number;

/** This thread, the sockets it opens and the programs it starts are in a new namespace from here on. */
async function freshNamespace(): Promise<void> {
  if (unshare(CLONE_NEWNET) !== 0) throw new Error(`unshare: errno ${koffi.errno()}`);
  // Before a namespace has its first address, every address in it is a broadcast one, and so no real (EINVAL).
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

function openDataplane(): KernelDataplane {
  return new KernelDataplane({
    open: streamTransport(NETLINK_GENERIC),
    clock: systemClock,
    log: silentLog,
    loadModule: () => Promise.resolve(),
  });
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`not so: ${what}`);
}

async function ipvsadmRound(file: string): Promise<number> {
  await freshNamespace();
  const script = `a=$(date +%s%N); ipvsadm --restore <${file} || exit 1; b=$(date +%s%N); echo $((b - a))`;
  return Number(execFileSync('sh', ['-c', script], { encoding: 'utf8' })) / 1e6;
}

async function applyRound(): Promise<{ ms: number; stallMs: number; messages: number }> {
  await freshNamespace();
  const dataplane = openDataplane();
  // A process that plans has read before; the socket is open and the family is known.
  check((await dataplane.read()).ok, 'an empty table is read');
  const ops = fullPlan();
  const before = dataplane.counters.messages;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  const report = await dataplane.apply(ops);
  const ms = performance.now() - start;
  delay.disable();
  const problem = report.lost ?? report.failed[0]?.error;
  if (problem !== undefined) throw problem;
  check(report.applied.length === SERVICES_AND_REALS, 'every operation was applied');
  const messages = dataplane.counters.messages - before;
  await dataplane.close();
  return { ms, stallMs: delay.max / 1e6, messages };
}

/** The agent's own way: read, adopt, plan, apply. */
async function driverRound(): Promise<Pick<Measured, 'start' | 'edit' | 'verifyMs'>> {
  await freshNamespace();
  const filler = openDataplane();
  check((await filler.apply(fullPlan())).failed.length === 0, 'the table is filled');
  await filler.close();

  const dataplane = openDataplane();
  const stateDir = mkdtempSync(join(tmpdir(), 'vipkeeper-bench-'));
  const counters = newCounters();
  const driver = new KernelDriver({
    open: () => Promise.resolve({ dataplane, addresses: new MemoryInterfaceAddresses(), marks: noPacketMarks }),
    journalFile: new JournalFile(stateDir, { clock: systemClock, log: silentLog }),
    counters,
    clock: systemClock,
    log: silentLog,
  });
  await driver.use('ipvs');
  const readStart = performance.now();
  check(await driver.refresh(Infinity), 'the kernel can be read');
  const readMs = performance.now() - readStart;
  check(await driver.program(wanted(), 60_000), 'nothing is left to do');
  const afterStart = dataplane.counters;
  const readings = counters.kernelReads;
  // One dump of the services and one for the reals of each make one reading; resolving the family is one message more.
  const writes = afterStart.messages - afterStart.dumps - 1;

  const ms: number[] = [];
  for (let edit = 0; edit < EDITS; edit++) {
    const effective = wanted(edit + 2);
    const start = performance.now();
    check(await driver.program(effective, 60_000), 'the edit is carried out');
    ms.push(performance.now() - start);
  }
  const afterEdits = dataplane.counters;
  const verifyMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    check(await driver.refresh(0), 'the kernel can be read again');
    check(await driver.program(wanted(EDITS + 1), 60_000), 'nothing is left to do');
    verifyMs.push(performance.now() - start);
  }
  check(dataplane.counters.messages - afterEdits.messages === dataplane.counters.dumps - afterEdits.dumps, 'no write');
  await driver.close();
  return {
    start: { readMs, readings, writes },
    verifyMs,
    edit: {
      ms,
      messages: (afterEdits.messages - afterStart.messages) / EDITS,
      dumps: afterEdits.dumps - afterStart.dumps,
    },
  };
}

const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-bench-'));
const restoreFile = join(folder, 'restore');
writeFileSync(restoreFile, restoreText());

const ipvsadmMs: number[] = [];
const applied: Awaited<ReturnType<typeof applyRound>>[] = [];
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  const ours = await applyRound();
  if (round >= WARM_UP) {
    applied.push(ours);
    ipvsadmMs.push(await ipvsadmRound(restoreFile));
  }
}
const measured: Measured = {
  ipvsadmMs,
  applyMs: applied.map(({ ms }) => ms),
  stallMs: applied.map(({ stallMs }) => stallMs),
  applyMessages: applied[0]?.messages ?? 0,
  ...(await driverRound()),
};
check(measured.applyMessages >= REALS, 'one message an operation');
process.stdout.write(`${JSON.stringify(measured)}\n`);
