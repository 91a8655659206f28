import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SCHEDULERS } from '../test/lab/kernel-modules.ts';
import { hostHasIpvs, runInKernel } from '../test/lab/kernel.ts';
import { labCache } from '../test/lab/parts.ts';
import type { Measured } from './kit/ipvs/inside.ts';
import { largePlan } from './kit/ipvs/large-plan.ts';
import { median } from './kit/numbers.ts';
import { below, type Bench, exactly, ratioAtMost, type Reporter } from './kit/report.ts';

/*
 * The netlink dataplane against `ipvsadm --restore`, on a kernel of this machine's own if that has IPVS, else in a
 * machine in software whose clock counts instructions. Never in User-Mode Linux, where a system call costs many times
 * what it does on a CPU.
 */

const REPOSITORY = resolve(import.meta.dirname, '..');
const PEER = 'ipvsadm --restore';
const PARTS = ['ipvsadm', 'keepalived'] as const;

export const bench: Bench = {
  about: 'IPVS: 10,000 reals, a start with nothing to do, and one edit, against ipvsadm',
  async run(report) {
    const measured = await measure(report);
    // The guest's clock jumps over the time in which a program waits for files of this machine: the least is the truth.
    const ipvsadm = Math.min(...measured.ipvsadmMs);
    const reload = { name: 'keepalived reload', value: Math.min(...measured.keepalived.reloadMs) };
    const floor = (which: 'readMs' | 'writeMs'): { name: string; value: number } => {
      return { name: 'the kernel alone', value: median(measured.floor.map((each) => each[which])) };
    };
    report.note(`ipvsadm --restore: ${spread(measured.ipvsadmMs)} ms; apply: ${spread(measured.applyMs)} ms`);
    report.note(`apply, in JavaScript: ${spread(measured.applyCpu.map(({ userMs }) => userMs))} ms`);
    report.figure({
      figure: 'ipvs: 10,000 reals on an empty kernel, apply to last ACK',
      value: median(measured.applyMs),
      unit: 'ms',
      peer: { name: PEER, value: ipvsadm },
      goal: ratioAtMost(0.65),
    });
    report.figure({
      figure: 'ipvs: the same',
      value: median(measured.applyMs),
      unit: 'ms',
      peer: { name: 'keepalived start', value: measured.keepalived.startMs },
      goal: ratioAtMost(0.75),
    });
    report.figure({
      figure: 'ipvs: the same',
      value: median(measured.applyMs),
      unit: 'ms',
      peer: floor('writeMs'),
      goal: null,
    });
    report.figure({
      figure: 'ipvs: longest stall of the event loop meanwhile',
      value: median(measured.stallMs),
      unit: 'ms',
      peer: null,
      goal: below(20),
    });
    report.figure({
      figure: 'ipvs: messages that write, in a start with everything right',
      value: measured.agent.start.writes,
      unit: 'messages',
      peer: null,
      goal: exactly(0),
    });
    report.figure({
      figure: 'ipvs: readings of the table, in a start with everything right',
      value: measured.agent.start.readings,
      unit: 'readings',
      peer: null,
      goal: exactly(1),
    });
    report.figure({
      figure: 'ipvs: the first reading of 10,000 reals',
      value: measured.agent.start.readMs,
      unit: 'ms',
      peer: floor('readMs'),
      goal: null,
    });
    for (const [what, { values, before }] of [
      ['a verifying pass, reading and plan', measured.agent.verify],
      ['the same, with other counters in every entry', measured.agent.busyVerify],
    ] as const) {
      report.note(`${what}, after ${before} that warmed up: ${spread(values)} ms`);
      const value = median(values);
      report.figure({ figure: `ipvs: ${what}`, value, unit: 'ms', peer: reload, goal: ratioAtMost(0.15) });
    }
    report.figure({
      figure: 'ipvs: a verifying pass',
      value: median(measured.agent.verify.values),
      unit: 'ms',
      peer: floor('readMs'),
      goal: null,
    });
    report.figure({
      figure: 'ipvs: messages for one weight edit',
      value: measured.agent.edit.messages,
      unit: 'messages',
      peer: null,
      goal: exactly(1),
    });
    report.figure({
      figure: 'ipvs: dumps for one weight edit',
      value: measured.agent.edit.dumps,
      unit: 'dumps',
      peer: null,
      goal: exactly(0),
    });
    for (const [what, times] of [
      ['the weight in a record', measured.agent.recordEditMs],
      ['the verdict on a real', measured.agent.verdictMs],
    ] as const) {
      report.note(`${what}, poke to ACK: ${spread(times, 1)} ms`);
      const figure = `ipvs: ${what} is another among 10,000, poke to ACK`;
      report.figure({ figure, value: median(times), unit: 'ms', peer: null, goal: below(5) });
      report.figure({ figure, value: median(times), unit: 'ms', peer: reload, goal: ratioAtMost(0.05) });
    }
    report.figure({
      figure: 'ipvs: before that poke, all records understood anew',
      value: median(measured.agent.intakeMs),
      unit: 'ms',
      peer: reload,
      goal: null,
    });
    const plan = largePlan();
    report.figure({
      figure: `ipvs: plan for ${plan.reals} reals with one change, on this machine`,
      value: plan.settledMs,
      unit: 'ms',
      peer: null,
      goal: below(100),
    });
    report.figure({
      figure: 'ipvs: the same, with every real compared',
      value: plan.wholeMs,
      unit: 'ms',
      peer: null,
      goal: below(100),
    });
  },
};

async function measure(report: Reporter): Promise<Measured> {
  const native = hostHasIpvs();
  report.note(
    native
      ? "on this machine's own kernel"
      : 'no IPVS in this kernel: in a machine in software, whose clock counts instructions (some minutes)',
  );
  const folder = compiled();
  const result = join(folder, 'measured.json');
  try {
    const status = await runInKernel({
      command: [process.execPath, join(folder, 'bench/kit/ipvs/inside.js'), result],
      parts: PARTS,
      memoryMb: 2_048,
      timeoutSeconds: 1_200,
      kernel: native ? 'native' : 'qemu',
      measured: { modules: ['ip_vs', ...SCHEDULERS.map((name) => `ip_vs_${name}`)] },
    });
    if (status !== 0) throw new Error(`the measurement ended with status ${status}`);
    return JSON.parse(readFileSync(result, 'utf8')) as Measured;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The program as JavaScript: in the guest, a loader that compiles would take longer than the measurement. */
function compiled(): string {
  mkdirSync(join(labCache(), 'runs'), { recursive: true });
  const folder = mkdtempSync(join(labCache(), 'runs', `bench-${process.pid}-`));
  const config = {
    extends: join(REPOSITORY, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      outDir: folder,
      rootDir: REPOSITORY,
      typeRoots: [join(REPOSITORY, 'node_modules/@types')],
    },
    include: [join(REPOSITORY, 'bench/kit/ipvs/inside.ts')],
  };
  const file = join(folder, 'tsconfig.json');
  writeFileSync(file, JSON.stringify(config));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const tsc = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
  const run = spawnSync(process.execPath, [tsc, '-p', file], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the benchmark does not compile:\n${run.stdout}`);
  return folder;
}

function spread(values: readonly number[], digits = 0): string {
  return values.map((value) => value.toFixed(digits)).join(', ');
}
