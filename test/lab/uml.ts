import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFenced } from './fenced-process.ts';
import { guestInit, linkModules } from './guest-init.ts';
import { MODULES } from './kernel-modules.ts';
import type { Parts } from './parts.ts';
import { quoted } from './shell-words.ts';

/** What a User-Mode Linux guest needs besides the command's own parts. */
export const UML_PARTS = ['uml', 'kmod'] as const;

/** @param folder of the run, with the session */
export function startUml(folder: string, memoryMb: number, parts: Parts): ChildProcess {
  linkModules(folder, parts.path('/usr/lib/uml/modules'));
  const interactive = process.stdin.isTTY;
  const terminals = { console: '/dev/tty0', out: '/dev/tty1', err: '/dev/tty2', interactive };
  const init = join(folder, 'init.sh');
  writeFileSync(init, guestInit(folder, parts, terminals, MODULES), { mode: 0o755 });
  const guest = [
    parts.binary('linux.uml'),
    ...[`mem=${memoryMb}M`, 'rootfstype=hostfs', 'rootflags=/', 'rw', `init=${init}`],
    // The kernel's own console goes to a file; the command's output and errors have a line each.
    ...['con=null', 'con0=null,fd:5', 'con1=fd:0,fd:3', 'con2=null,fd:4'],
    ...['quiet', 'panic=1', `uml_dir=${folder}`, 'umid=guest'],
  ];
  const memory = join(folder, 'memory');
  mkdirSync(memory);
  // The guest's memory is a file. /dev/shm is often too small in a container.
  const mount = freeMegabytes('/dev/shm') >= memoryMb ? '' : `mount -t tmpfs lab-memory ${quoted(memory)} || exit; `;
  const log = openSync(join(folder, 'kernel.log'), 'a');
  const child = startFenced(
    [],
    `${mount}${placement()}exec $place ${guest.map(quoted).join(' ')}`,
    { ...parts.env, TMPDIR: mount === '' ? '/dev/shm' : memory },
    [interactive ? 'inherit' : 'ignore', log, log, 1, 2, log],
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
