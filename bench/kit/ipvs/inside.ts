import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { newCounters } from '../../../src/agent/counters.ts';
import { JournalFile } from '../../../src/agent/journal-file.ts';
import { KernelDriver } from '../../../src/agent/kernel-driver.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { noPacketMarks } from '../../../src/ipvs/packet-marks.ts';
import { MemoryInterfaceAddresses } from '../../../src/ipvs/memory-interface-addresses.ts';
import { floorRound } from './floor.ts';
import type { Floor } from './floor.ts';
import { keepalivedRound } from './keepalived.ts';
import type { KeepalivedRound } from './keepalived.ts';
import { check, freshNamespace, openDataplane } from './surroundings.ts';
import { fullPlan, REALS, restoreText, wanted } from './workload.ts';

/*
 * Runs where there is IPVS and a true clock, and prints one line of JSON. Every measurement has a network namespace of
 * its own: reals that were deleted stay in a list for a while, and later additions walk it.
 */

export interface Measured {
  readonly floor: readonly Floor[];
  readonly keepalived: KeepalivedRound;
  /** Processor time in JavaScript and in the kernel during each of `applyMs`. */
  readonly applyCpu: readonly { readonly userMs: number; readonly systemMs: number }[];
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
const RELOADS = 5;
const SERVICES_AND_REALS = fullPlan().length;
async function ipvsadmRound(file: string): Promise<number> {
  await freshNamespace();
  const script = `a=$(date +%s%N); ipvsadm --restore <${file} || exit 1; b=$(date +%s%N); echo $((b - a))`;
  return Number(execFileSync('sh', ['-c', script], { encoding: 'utf8' })) / 1e6;
}

interface Applied {
  readonly ms: number;
  readonly stallMs: number;
  readonly messages: number;
  readonly cpu: Measured['applyCpu'][number];
}

async function applyRound(): Promise<Applied> {
  await freshNamespace();
  const dataplane = openDataplane();
  // A process that plans has read before; the socket is open and the family is known.
  check((await dataplane.read()).ok, 'an empty table is read');
  const ops = fullPlan();
  const before = dataplane.counters.messages;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const report = await dataplane.apply(ops);
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  delay.disable();
  const problem = report.lost ?? report.failed[0]?.error;
  if (problem !== undefined) throw problem;
  check(report.applied.length === SERVICES_AND_REALS, 'every operation was applied');
  const messages = dataplane.counters.messages - before;
  await dataplane.close();
  return { ms, stallMs: delay.max / 1e6, messages, cpu: { userMs: user / 1_000, systemMs: system / 1_000 } };
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
  const writes = counters.operations;

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
  check(counters.operations === EDITS, 'a verifying pass writes nothing');
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
const applied: Applied[] = [];
const floor: Floor[] = [];
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  const ours = await applyRound();
  if (round >= WARM_UP) {
    applied.push(ours);
    ipvsadmMs.push(await ipvsadmRound(restoreFile));
    floor.push(await floorRound());
  }
}
const measured: Measured = {
  floor,
  keepalived: await keepalivedRound(RELOADS),
  applyCpu: applied.map(({ cpu }) => cpu),
  ipvsadmMs,
  applyMs: applied.map(({ ms }) => ms),
  stallMs: applied.map(({ stallMs }) => stallMs),
  applyMessages: applied[0]?.messages ?? 0,
  ...(await driverRound()),
};
check(measured.applyMessages >= REALS, 'one message an operation');
process.stdout.write(`${JSON.stringify(measured)}\n`);
