import { type ChildProcess, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { startFenced } from './fenced-process.ts';
import { guestInit, linkModules } from './guest-init.ts';
import type { Parts } from './parts.ts';
import { quoted } from './shell-words.ts';

/*
 * A machine in software: QEMU without acceleration. Its kernel is Debian's cloud kernel, which has everything that
 * User-Mode Linux has and nf_tables and a true clock besides; its files are this machine's, by virtiofs. Nothing of it
 * is installed.
 */

export interface QemuMachine {
  readonly memoryMb: number;
  /** Loaded beforehand, with what they need. */
  readonly modules: readonly string[];
  /**
   * Its clock counts instructions: two runs agree within a few per cent whatever else this machine does, and a system
   * call costs what it costs on a CPU. Otherwise the clock is this machine's, and everything in the guest is slow.
   */
  readonly countsInstructions: boolean;
}

/** What such a guest needs besides the command's own parts. */
export const QEMU_PARTS = ['qemu', 'cloud-kernel', 'busybox', 'kmod'] as const;

/** Each instruction takes 2^1 nanoseconds; idle time passes at once. */
const CLOCK = 'shift=1,sleep=off';

/** To reach this machine's files at all. */
const BOOT_MODULES = ['virtio_pci', 'virtiofs'];

/** @param folder of the run, with the session */
export function startQemu(folder: string, machine: QemuMachine, parts: Parts): ChildProcess {
  const { version, image } = cloudKernel(parts);
  const modules = parts.path('/usr/lib/modules');
  linkModules(folder, modules);
  const terminals = { console: '/dev/ttyS0', out: '/dev/ttyS1', err: '/dev/ttyS2', interactive: false };
  writeFileSync(join(folder, 'init.sh'), guestInit(folder, parts, terminals, machine.modules), { mode: 0o755 });
  const initramfs = makeInitramfs(folder, parts, indexed(modules, version, parts));
  return startFenced([], script(folder, machine, parts, image, initramfs), parts.env, ['ignore', 'inherit', 'inherit']);
}

function cloudKernel(parts: Parts): { readonly version: string; readonly image: string } {
  const folder = parts.path('/boot');
  const version = readdirSync(folder)
    .map((name) => /^vmlinuz-(.*-cloud-amd64)$/.exec(name)?.[1])
    .find((each) => each !== undefined);
  if (version === undefined) throw new Error(`no cloud kernel in ${folder}`);
  return { version, image: join(folder, `vmlinuz-${version}`) };
}

/** The modules of one version, with the index that installing them would have made. @returns their folder */
function indexed(modules: string, version: string, parts: Parts): string {
  const folder = join(modules, version);
  if (existsSync(join(folder, 'modules.dep'))) return folder;
  const base = dirname(dirname(modules));
  const { status, stderr } = spawnSync(parts.binary('depmod'), ['-b', base, version], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`depmod failed: ${stderr}`);
  return folder;
}

/** A few files of busybox and the kernel's, packed by busybox: enough to reach this machine's files. */
function makeInitramfs(folder: string, parts: Parts, modules: string): string {
  const tree = join(folder, 'initramfs');
  for (const each of ['bin', 'proc', 'sys', 'dev', 'host', 'modules']) mkdirSync(join(tree, each), { recursive: true });
  const busybox = parts.binary('busybox');
  copyFileSync(busybox, join(tree, 'bin/busybox'));
  const files = inOrder(readFileSync(join(modules, 'modules.dep'), 'utf8'), BOOT_MODULES);
  for (const file of files) copyFileSync(join(modules, file), join(tree, 'modules', basename(file)));
  const init = [
    '#!/bin/busybox sh',
    '/bin/busybox --install -s /bin',
    'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev',
    ...files.map((file) => `insmod /modules/${basename(file)} || echo "could not load ${file}"`),
    'mount -t virtiofs host /host || echo "no files"',
    'umount /proc /sys /dev',
    `exec switch_root /host /bin/sh ${quoted(join(folder, 'init.sh'))}`,
  ];
  writeFileSync(join(tree, 'init'), `${init.join('\n')}\n`, { mode: 0o755 });
  const image = join(folder, 'initramfs.cpio');
  const words = `find . | ${quoted(busybox)} cpio -o -H newc >${quoted(image)}`;
  const pack = spawnSync('sh', ['-c', words], { cwd: tree, encoding: 'utf8' });
  if (pack.status !== 0) throw new Error(`the initramfs could not be packed: ${pack.stderr}`);
  return image;
}

/** @param index text of `modules.dep`. @returns files of modules and of all that they need, in the order of loading */
function inOrder(index: string, names: readonly string[]): string[] {
  const files = new Set<string>();
  for (const name of names) {
    // What is built into the kernel is not there. The first that has to be loaded is the last on the line.
    const line = index.split('\n').find((each) => each.split(':')[0]?.endsWith(`/${name}.ko`) === true) ?? '';
    for (const file of line.split(/:? /).reverse()) if (file !== '') files.add(file);
  }
  return [...files];
}

/** Starts the server of files and the machine, and passes on what it writes. */
function script(folder: string, machine: QemuMachine, parts: Parts, kernel: string, initramfs: string): string {
  const inside = (name: string): string => join(folder, name);
  const { memoryMb, countsInstructions } = machine;
  const files = ['source=/', 'cache=always', 'sandbox=chroot'].flatMap((option) => ['-o', option]);
  const server = [parts.path('/usr/lib/qemu/virtiofsd'), `--socket-path=${inside('files.sock')}`, ...files];
  const serial = (name: string): string[] => ['-serial', `file:${inside(name)}`];
  const qemu = [
    parts.binary('qemu-system-x86_64'),
    ...['-L', parts.path('/usr/share/seabios'), '-L', parts.path('/usr/share/qemu')],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-accel', 'tcg', '-smp', '1', ...(countsInstructions ? ['-icount', CLOCK] : []), '-m', `${memoryMb}M`],
    ...['-object', `memory-backend-memfd,id=memory,size=${memoryMb}M,share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=files,path=${inside('files.sock')}`],
    ...['-device', 'vhost-user-fs-pci,chardev=files,tag=host'],
    ...[...serial('kernel.log'), ...serial('out'), ...serial('err')],
    ...['-kernel', kernel, '-initrd', initramfs],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off'],
  ];
  const words = (list: readonly string[]): string => list.map(quoted).join(' ');
  return [
    `cd ${quoted(folder)} && mkfifo out err || exit`,
    `cat <out & cat <err >&2 &`,
    `${words(server)} >files.log 2>&1 & server=$!`,
    'until [ -S files.sock ]; do kill -0 $server || exit; sleep 0.05; done',
    words(qemu),
    // It ends with the machine, and the pipes with what is in them.
    'wait',
  ].join('\n');
}
