import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../test/lab/eventually.ts';
import { labCache, requireParts } from '../../test/lab/parts.ts';
import type { PartName, Parts } from '../../test/lab/parts.ts';

/*
 * A machine in software whose clock counts instructions: QEMU without acceleration, one CPU, `-icount`. Two runs in it
 * agree within a few per cent whatever else this machine does, and a system call costs what it costs on a CPU, which
 * User-Mode Linux cannot offer. Its kernel is Debian's cloud kernel, its files are this machine's, read-only, by
 * virtiofs. Nothing of it is installed.
 */

export interface GuestRun {
  /** Runs as root; PATH finds the parts. What it writes to standard output comes back. */
  readonly command: readonly string[];
  /** What the command needs beside `ip`. */
  readonly parts: readonly PartName[];
  /** Kernel modules to load beforehand, with what they need. */
  readonly modules: readonly string[];
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
}

export interface GuestEnd {
  readonly status: number;
  readonly stdout: string;
}

/** Each instruction takes 2^1 nanoseconds; idle time passes at once. */
const CLOCK = 'shift=1,sleep=off';

/** To reach this machine's files at all; modprobe loads what they need themselves. */
const BOOT_MODULES = ['virtio_pci', 'virtiofs'];

export async function runInGuest(run: GuestRun): Promise<GuestEnd> {
  const parts = await requireParts(['qemu', 'cloud-kernel', 'busybox', 'kmod', 'iproute2', ...run.parts]);
  mkdirSync(join(labCache(), 'runs'), { recursive: true });
  const folder = mkdtempSync(join(labCache(), 'runs', 'qemu-'));
  const children: ChildProcess[] = [];
  try {
    const kernel = cloudKernel(parts);
    writeSession(folder, run, parts);
    const initramfs = makeInitramfs(folder, run, parts, kernel.version);
    children.push(await startVirtiofsd(folder, parts));
    const qemu = startQemu(folder, run, parts, kernel.image, initramfs);
    children.push(qemu);
    await ended(qemu, run.timeoutSeconds);
    return outcome(folder);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function cloudKernel(parts: Parts): { readonly version: string; readonly image: string } {
  const folder = parts.path('/boot');
  const version = readdirSync(folder)
    .map((name) => /^vmlinuz-(.*-cloud-amd64)$/.exec(name)?.[1])
    .find((each) => each !== undefined);
  if (version === undefined) throw new Error(`no cloud kernel in ${folder}`);
  return { version, image: join(folder, `vmlinuz-${version}`) };
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function writeSession(folder: string, run: GuestRun, parts: Parts): void {
  const variables = ['PATH', 'LD_LIBRARY_PATH'].flatMap((name) => {
    const value = parts.env[name];
    return value === undefined ? [] : [`export ${name}=${quoted(value)}`];
  });
  const lines = [
    '#!/bin/sh',
    ...variables,
    'export HOME=/root TMPDIR=/run LC_ALL=C',
    'ip link set lo up',
    `cd ${quoted(process.cwd())}`,
    `${run.command.map(quoted).join(' ')} >/dev/ttyS1 2>/dev/ttyS0`,
    'echo "status $?" >/dev/ttyS2',
    'poweroff -f 2>/dev/null || echo o >/proc/sysrq-trigger',
    'sleep 60',
  ];
  writeFileSync(join(folder, 'session.sh'), `${lines.join('\n')}\n`, { mode: 0o755 });
}

/** A few files of busybox and the kernel's, packed by busybox: enough to reach this machine's files. */
function makeInitramfs(folder: string, run: GuestRun, parts: Parts, version: string): string {
  const tree = join(folder, 'initramfs');
  for (const each of ['bin', 'proc', 'sys', 'dev', 'host', `lib/modules/${version}`]) {
    mkdirSync(join(tree, each), { recursive: true });
  }
  copyFileSync(parts.binary('busybox'), join(tree, 'bin/busybox'));
  const modules = copyModules(parts, version, join(tree, 'lib/modules'), [...BOOT_MODULES, ...run.modules]);
  const init = [
    '#!/bin/busybox sh',
    '/bin/busybox --install -s /bin',
    'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev',
    ...modules.map((file) => `insmod /lib/modules/${file} || echo "could not load ${file}"`),
    'mount -t virtiofs -o ro host /host || echo "no files"',
    'mount -t proc proc /host/proc; mount -t sysfs sysfs /host/sys; mount -t devtmpfs devtmpfs /host/dev',
    'mount -t tmpfs tmpfs /host/run; mount -t tmpfs tmpfs /host/tmp',
    'stty -F /dev/ttyS1 raw; stty -F /dev/ttyS2 raw',
    `exec switch_root /host /bin/sh ${quoted(join(folder, 'session.sh'))}`,
  ];
  writeFileSync(join(tree, 'init'), `${init.join('\n')}\n`, { mode: 0o755 });
  const image = join(folder, 'initramfs.cpio');
  const pack = spawnSync(
    'sh',
    ['-c', `find . | ${quoted(parts.binary('busybox'))} cpio -o -H newc >${quoted(image)}`],
    {
      cwd: tree,
      encoding: 'utf8',
    },
  );
  if (pack.status !== 0) throw new Error(`the initramfs could not be packed: ${pack.stderr}`);
  return image;
}

/** Copies modules and whatever they need. @returns their file names, in the order in which they can be loaded */
function copyModules(parts: Parts, version: string, target: string, names: readonly string[]): string[] {
  const source = parts.path(`/usr/lib/modules/${version}`);
  const files = new Map<string, string>();
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    const name = /^(.*)\.ko$/.exec(entry.name)?.[1];
    if (name !== undefined) files.set(name.replaceAll('-', '_'), join(entry.parentPath, entry.name));
  }
  const order: string[] = [];
  const add = (name: string): void => {
    const file = files.get(name);
    // What is built into the kernel has no file.
    if (file === undefined || order.includes(`${name}.ko`)) return;
    for (const needed of dependenciesOf(file, parts)) add(needed);
    copyFileSync(file, join(target, `${name}.ko`));
    order.push(`${name}.ko`);
  };
  for (const name of names) add(name);
  return order;
}

function dependenciesOf(file: string, parts: Parts): string[] {
  const { stdout } = spawnSync(parts.binary('modinfo'), ['-F', 'depends', file], { encoding: 'utf8', env: parts.env });
  return stdout
    .trim()
    .replaceAll('-', '_')
    .split(',')
    .filter((each) => each !== '');
}

async function startVirtiofsd(folder: string, parts: Parts): Promise<ChildProcess> {
  const socket = join(folder, 'files.sock');
  const options = ['source=/', 'cache=always', 'sandbox=chroot'].flatMap((option) => ['-o', option]);
  const child = spawn(parts.path('/usr/lib/qemu/virtiofsd'), [`--socket-path=${socket}`, ...options], {
    env: parts.env,
    stdio: 'ignore',
  });
  await eventually('virtiofsd listens', () => existsSync(socket));
  return child;
}

function startQemu(folder: string, run: GuestRun, parts: Parts, kernel: string, initramfs: string): ChildProcess {
  const log = (name: string): string[] => ['-serial', `file:${join(folder, name)}`];
  const args = [
    ...['-L', parts.path('/usr/share/seabios'), '-L', parts.path('/usr/share/qemu')],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-accel', 'tcg', '-smp', '1', '-icount', CLOCK, '-m', `${run.memoryMb}M`],
    ...['-object', `memory-backend-memfd,id=memory,size=${run.memoryMb}M,share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=files,path=${join(folder, 'files.sock')}`],
    ...['-device', 'vhost-user-fs-pci,chardev=files,tag=host'],
    ...[...log('console'), ...log('stdout'), ...log('status')],
    ...['-kernel', kernel, '-initrd', initramfs],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off'],
  ];
  return spawn(parts.binary('qemu-system-x86_64'), args, { env: parts.env, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function ended(child: ChildProcess, timeoutSeconds: number): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutSeconds * 1_000);
  await once(child, 'exit');
  clearTimeout(timer);
}

function outcome(folder: string): GuestEnd {
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8').replaceAll('\r', '');
  const status = /^status (\d+)$/m.exec(text('status'))?.[1];
  if (status === undefined) throw new Error(`the guest did not end by itself; its console says:\n${text('console')}`);
  if (status !== '0') process.stderr.write(`${text('console')}\n`);
  return { status: Number(status), stdout: text('stdout') };
}
