import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { agentRound } from './agent-path.ts';
import type { AgentRound } from './agent-path.ts';
import { floorRound } from './floor.ts';
import type { Floor } from './floor.ts';
import { keepalivedRound } from './keepalived.ts';
import type { KeepalivedRound } from './keepalived.ts';
import { MovingCounters } from './moving-counters.ts';
import { check, freshNamespace, openDataplane } from './surroundings.ts';
import { fullPlan, REALS, restoreText } from './workload.ts';

/*
 * Runs where there is IPVS and a true clock, and writes JSON into the file that it is told. Every measurement has a
 * network namespace of its own: reals that were deleted stay in a list for a while, and later additions walk it.
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
  readonly agent: AgentRound;
}

/** The first rounds warm the process up. */
const WARM_UP = 6;
const ROUNDS = 5;
const RELOADS = 5;
/** Made once, and so old in memory, as what an agent wants is: it must not be copied about while we measure. */
const PLAN = fullPlan();

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
  const before = dataplane.counters.messages;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const report = await dataplane.apply(PLAN);
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  delay.disable();
  const problem = report.lost ?? report.failed[0]?.error;
  if (problem !== undefined) throw problem;
  check(report.applied.length === PLAN.length, 'every operation was applied');
  const messages = dataplane.counters.messages - before;
  await dataplane.close();
  return { ms, stallMs: delay.max / 1e6, messages, cpu: { userMs: user / 1_000, systemMs: system / 1_000 } };
}

/** The agent's own way, from records and verdicts to the kernel. */
async function throughTheAgent(): Promise<AgentRound> {
  await freshNamespace();
  const kernel = new MovingCounters();
  return agentRound(kernel, () => {
    const dataplane = openDataplane(kernel.open);
    return { dataplane, counters: () => dataplane.counters };
  });
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
  agent: await throughTheAgent(),
};
check(measured.applyMessages >= REALS, 'one message an operation');
const [, , result = '/dev/stdout'] = process.argv;
writeFileSync(result, `${JSON.stringify(measured)}\n`);
