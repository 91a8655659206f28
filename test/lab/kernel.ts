import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODULES } from './kernel-modules.ts';
import { INSIDE_LAB, PART_VARIABLES, type PartName, type Parts, labCache, requireParts } from './parts.ts';

/** `native` is a fresh network namespace of this machine's kernel; `uml` is a User-Mode Linux guest. */
export type KernelKind = 'native' | 'uml';

export interface KernelRun {
  readonly command: readonly string[];
  readonly parts: readonly PartName[];
  /** The guest's memory in MiB. Only what is used is taken from the host. */
  readonly memoryMb: number;
  /** The run is killed after this many seconds. */
  readonly timeoutSeconds: number;
  readonly kernel?: KernelKind;
}

/** What a command can be run on when the run itself failed, in the manner of timeout(1) and env(1). */
export const TIMED_OUT = 124;
export const LAB_FAILED = 125;

const PASSED_ON = ['HOME', 'USER', 'LANG', 'TERM', 'CI', 'NO_COLOR', 'FORCE_COLOR', 'NODE_OPTIONS'];

export function insideLab(): KernelKind | undefined {
  const value = process.env[INSIDE_LAB];
  return value === 'native' || value === 'uml' ? value : undefined;
}

/** Whether this machine's own kernel has IPVS, after trying to load it. */
export function hostHasIpvs(): boolean {
  if (existsSync('/proc/net/ip_vs')) return true;
  for (const name of ['modprobe', '/usr/sbin/modprobe', '/sbin/modprobe']) spawnSync(name, ['-q', 'ip_vs']);
  return existsSync('/proc/net/ip_vs');
}

export function chooseKernel(): KernelKind {
  const forced = process.env['VIPKEEPER_LAB_FORCE'];
  if (forced === 'native' || forced === 'uml') return forced;
  return hostHasIpvs() ? 'native' : 'uml';
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
  const parts = await requireParts([...(kind === 'uml' ? (['uml', 'kmod'] as const) : []), ...run.parts]);
  const folder = makeRunFolder(join(labCache(), 'runs'), kind);
  try {
    writeSession(folder, run.command, parts, kind);
    const child = kind === 'uml' ? startUml(folder, run, parts) : startNative(folder);
    return await watch(child, folder, run.timeoutSeconds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The script that both kinds of kernel run at the end: same folder, same command, a clean environment. */
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

/**
 * Starts `script` in mount and process namespaces of its own. Whatever ends this process or the run, the kernel kills
 * every process in there with it (prctl(2) PR_SET_PDEATHSIG, pid_namespaces(7)).
 */
function startFenced(
  flags: readonly string[],
  script: string,
  env: NodeJS.ProcessEnv,
  stdio: StdioOptions,
): ChildProcess {
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...flags];
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...unshare, 'sh', '-c', script], { env, stdio });
}

function startNative(folder: string): ChildProcess {
  const script = `mount -t tmpfs lab-run /run && exec ${quoted(join(folder, 'session.sh'))}`;
  return startFenced(['--net'], script, process.env, 'inherit');
}

function startUml(folder: string, run: KernelRun, parts: Parts): ChildProcess {
  mkdirSync(join(folder, 'modules/lib'), { recursive: true });
  symlinkSync(parts.path('/usr/lib/uml/modules'), join(folder, 'modules/lib/modules'));
  writeFileSync(join(folder, 'init.sh'), umlInit(folder, parts), { mode: 0o755 });
  const guest = [
    parts.binary('linux.uml'),
    ...[`mem=${run.memoryMb}M`, 'rootfstype=hostfs', 'rootflags=/', 'rw', `init=${join(folder, 'init.sh')}`],
    // The kernel's own console goes to a file; the command's output and errors have a line each.
    ...['con=null', 'con0=null,fd:5', 'con1=fd:0,fd:3', 'con2=null,fd:4'],
    ...['quiet', 'panic=1', `uml_dir=${folder}`, 'umid=guest'],
  ];
  const memory = join(folder, 'memory');
  mkdirSync(memory);
  // The guest's memory is a file. /dev/shm is often too small in a container.
  const mount =
    freeMegabytes('/dev/shm') >= run.memoryMb ? '' : `mount -t tmpfs lab-memory ${quoted(memory)} || exit; `;
  const log = openSync(join(folder, 'kernel.log'), 'a');
  const child = startFenced(
    [],
    `${mount}${placement()}exec $place ${guest.map(quoted).join(' ')}`,
    { ...parts.env, TMPDIR: mount === '' ? '/dev/shm' : memory },
    [process.stdin.isTTY ? 'inherit' : 'ignore', log, log, 1, 2, log],
  );
  closeSync(log);
  return child;
}

/**
 * Shell words that choose where the guest runs, in `$place`. A guest is many processes of which one runs at a time,
 * each waking the next: on one CPU that costs half as much as across two, and a real-time class keeps the hand-overs
 * short while the machine is busy (a quarter of the time with two compilers running; niceness does not help across
 * sessions). One guest at a time has it, on the last of several CPUs, so that the machine always has another.
 */
function placement(): string {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const cpus = list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  const last = cpus.pop() ?? 0;
  const lines = [`place='taskset -c ${cpus[process.pid % cpus.length] ?? last}'`];
  if (cpus.length > 0) {
    const pinned = `taskset -c ${last} chrt -r 1`;
    lines.push(
      `exec 9>${quoted(join(tmpdir(), 'vipkeeper-lab-first-guest.lock'))}`,
      `if flock -n 9 && ${pinned} true 2>/dev/null; then place='${pinned}'; fi`,
    );
  }
  return `${lines.join('; ')}; `;
}

function freeMegabytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  const { bavail, bsize } = statfsSync(folder);
  return (bavail * bsize) / 2 ** 20;
}

/** Process 1 of the guest. Its exit would be a kernel panic, so it powers the guest off instead. */
function umlInit(folder: string, parts: Parts): string {
  const session = quoted(join(folder, 'session.sh'));
  const lines = [
    '#!/bin/sh',
    `export PATH=${quoted(parts.env['PATH'] ?? '')} LD_LIBRARY_PATH=${quoted(parts.env['LD_LIBRARY_PATH'] ?? '')}`,
    'exec </dev/tty0 >/dev/tty0 2>&1',
    'mount -t proc proc /proc',
    'mount -t sysfs sysfs /sys',
    'grep -q " /dev devtmpfs " /proc/mounts || mount -t devtmpfs devtmpfs /dev',
    'mkdir -p /dev/pts /dev/shm /dev/net',
    'mount -t devpts -o ptmxmode=666 devpts /dev/pts',
    'mount -t tmpfs tmpfs /dev/shm',
    'mount -t tmpfs tmpfs /run',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null',
    'ln -sf /proc/self/fd /dev/fd; ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr',
    'echo vipkeeper-lab >/proc/sys/kernel/hostname',
    `modprobe -d ${quoted(join(folder, 'modules'))} -a -q ${MODULES.join(' ')}`,
    // The lines are raw: no carriage returns in what the command writes.
    'stty -opost </dev/tty1; stty -opost </dev/tty2',
    ...(process.stdin.isTTY
      ? [`setsid -c -w ${session} </dev/tty1 >/dev/tty1 2>/dev/tty2`]
      : [
          // Pipes, so that no program takes its output for a terminal that somebody watches.
          'mkfifo /run/out /run/err',
          'cat </run/out >/dev/tty1 & out=$!; cat </run/err >/dev/tty2 & err=$!',
          `setsid -w ${session} </dev/null >/run/out 2>/run/err`,
          // A daemon that the command left behind may hold the pipes open for ever.
          '(sleep 2; kill $out $err 2>/dev/null) & wait $out $err',
        ]),
    'sync',
    'poweroff -f 2>/dev/null || echo o >/proc/sysrq-trigger',
    'sleep 60',
  ];
  return `${lines.join('\n')}\n`;
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
