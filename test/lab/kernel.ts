import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFenced } from './fenced-process.ts';
import { MODULES, NF_TABLES_MODULES } from './kernel-modules.ts';
import { INSIDE_LAB, PART_VARIABLES, type PartName, type Parts, labCache, requireParts } from './parts.ts';
import { QEMU_PARTS, startQemu } from './qemu.ts';
import { quoted } from './shell-words.ts';
import { UML_PARTS, startUml } from './uml.ts';

/**
 * `native` is a fresh network namespace of this machine's kernel; `uml` is a User-Mode Linux guest; `qemu` is a machine
 * in software, which has nf_tables besides and takes its time.
 */
export const KERNEL_KINDS = ['native', 'uml', 'qemu'] as const;
export type KernelKind = (typeof KERNEL_KINDS)[number];

export interface KernelRun {
  readonly command: readonly string[];
  readonly parts: readonly PartName[];
  /** The guest's memory in MiB. Only what is used is taken from the host. */
  readonly memoryMb: number;
  /** The run is killed after this many seconds. */
  readonly timeoutSeconds: number;
  readonly kernel?: KernelKind;
  /** For measurements in `qemu`: only these modules are loaded, and its clock counts instructions. */
  readonly measured?: { readonly modules: readonly string[] };
}

/** What a command can be run on when the run itself failed, in the manner of timeout(1) and env(1). */
export const TIMED_OUT = 124;
export const LAB_FAILED = 125;

const PASSED_ON = ['HOME', 'USER', 'LANG', 'TERM', 'CI', 'NO_COLOR', 'FORCE_COLOR', 'NODE_OPTIONS'];

export function insideLab(): KernelKind | undefined {
  return kernelKind(process.env[INSIDE_LAB]);
}

/** Whether this machine's own kernel has IPVS, after trying to load it. */
export function hostHasIpvs(): boolean {
  if (existsSync('/proc/net/ip_vs')) return true;
  for (const name of ['modprobe', '/usr/sbin/modprobe', '/sbin/modprobe']) spawnSync(name, ['-q', 'ip_vs']);
  return existsSync('/proc/net/ip_vs');
}

export function chooseKernel(): KernelKind {
  return kernelKind(process.env['VIPKEEPER_LAB_FORCE']) ?? (hostHasIpvs() ? 'native' : 'uml');
}

export function kernelKind(text: string | undefined): KernelKind | undefined {
  return KERNEL_KINDS.find((each) => each === text);
}

/**
 * Runs a command in a kernel that has IPVS and resolves to its exit status. Its output goes to this process's own,
 * as it comes. Files it writes are the machine's files, but for /run, /dev/shm and $TMPDIR, which are its own.
 */
export async function runInKernel(run: KernelRun): Promise<number> {
  if (process.getuid?.() !== 0) {
    throw new Error('the lab makes network namespaces and loads modules, so it must be run as root: try sudo');
  }
  const kind = run.kernel ?? chooseKernel();
  const parts = await requireParts([...OWN_PARTS[kind], ...run.parts]);
  const folder = makeRunFolder(join(labCache(), 'runs'), kind);
  try {
    writeSession(folder, run.command, parts, kind);
    return await watch(start(kind, folder, run, parts), folder, run.timeoutSeconds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const OWN_PARTS: Readonly<Record<KernelKind, readonly PartName[]>> = {
  native: [],
  uml: UML_PARTS,
  qemu: [...QEMU_PARTS, 'iproute2'],
};

function start(kind: KernelKind, folder: string, run: KernelRun, parts: Parts): ChildProcess {
  const { memoryMb, measured } = run;
  switch (kind) {
    case 'native':
      return startNative(folder);
    case 'uml':
      return startUml(folder, memoryMb, parts);
    case 'qemu': {
      const modules = measured?.modules ?? [...MODULES, ...NF_TABLES_MODULES];
      return startQemu(folder, { memoryMb, modules, countsInstructions: measured !== undefined }, parts);
    }
  }
}

function startNative(folder: string): ChildProcess {
  const script = `mount -t tmpfs lab-run /run && exec ${quoted(join(folder, 'session.sh'))}`;
  return startFenced(['--net'], script, process.env, 'inherit');
}

/** The folder is named after its process, so that what a killed run left behind is known for what it is. */
function makeRunFolder(runs: string, kind: KernelKind): string {
  mkdirSync(runs, { recursive: true });
  for (const name of readdirSync(runs)) {
    const [, pid = ''] = name.split('-');
    if (!existsSync(join('/proc', pid))) rmSync(join(runs, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(runs, `${kind}-${process.pid}-`));
}

/** The script that every kind of kernel runs at the end: same folder, same command, a clean environment. */
function writeSession(folder: string, command: readonly string[], parts: Parts, kind: KernelKind): void {
  const environment = Object.entries(parts.env).filter(
    ([name]) => PASSED_ON.includes(name) || PART_VARIABLES.includes(name) || name.startsWith('VIPKEEPER_'),
  );
  environment.push([INSIDE_LAB, kind], ['TMPDIR', '/run/tmp']);
  const lines = [
    '#!/bin/sh',
    'mkdir -p /run/tmp /run/netns',
    ...environment.map(([name, value]) => `export ${name}=${quoted(value ?? '')}`),
    'ip link set lo up',
    `cd ${quoted(process.cwd())} || exit ${LAB_FAILED}`,
    command.map(quoted).join(' '),
    `echo $? >${quoted(join(folder, 'status'))}`,
  ];
  writeFileSync(join(folder, 'session.sh'), `${lines.join('\n')}\n`, { mode: 0o755 });
}

/** Waits for the end of the run; whatever ends it early takes every process of the run with it. */
async function watch(child: ChildProcess, folder: string, timeoutSeconds: number): Promise<number> {
  let why: number | undefined;
  const stop = (status: number): void => {
    why ??= status;
    child.kill('SIGKILL');
  };
  const onInterrupt = (): void => stop(130);
  const onTerminate = (): void => stop(143);
  const timer = setTimeout(() => {
    process.stderr.write(`lab: killed after ${timeoutSeconds} s (see --timeout)\n`);
    stop(TIMED_OUT);
  }, timeoutSeconds * 1_000);
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
  try {
    await once(child, 'exit');
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
  }
  if (why !== undefined) return why;
  const status = join(folder, 'status');
  if (existsSync(status)) return Number(readFileSync(status, 'utf8'));
  const log = join(folder, 'kernel.log');
  const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-4_000) : '';
  process.stderr.write(`lab: the kernel ended before the command did\n${tail}\n`);
  return LAB_FAILED;
}
