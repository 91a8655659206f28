import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Parts } from './parts.ts';
import { quoted } from './shell-words.ts';

/** The guest's terminals: for its own messages, and for what the command writes and complains. */
export interface GuestTerminals {
  readonly console: string;
  readonly out: string;
  readonly err: string;
  /** Somebody sits at `out`, and types. */
  readonly interactive: boolean;
}

/**
 * Process 1 of a guest whose files are this machine's. Its exit would be a kernel panic, so it powers the guest off
 * instead.
 * @param folder holds the session, which leaves its exit status there, and the modules that were linked
 */
export function guestInit(folder: string, parts: Parts, terminals: GuestTerminals, modules: readonly string[]): string {
  const { console: own, out, err } = terminals;
  const session = quoted(join(folder, 'session.sh'));
  const lines = [
    '#!/bin/sh',
    `export PATH=${quoted(parts.env['PATH'] ?? '')} LD_LIBRARY_PATH=${quoted(parts.env['LD_LIBRARY_PATH'] ?? '')}`,
    'mount -t proc proc /proc',
    'mount -t sysfs sysfs /sys',
    'grep -q " /dev devtmpfs " /proc/mounts || mount -t devtmpfs devtmpfs /dev',
    `exec <${own} >${own} 2>&1`,
    'mkdir -p /dev/pts /dev/shm /dev/net',
    'mount -t devpts -o ptmxmode=666 devpts /dev/pts',
    'mount -t tmpfs tmpfs /dev/shm',
    'mount -t tmpfs tmpfs /run',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null',
    'ln -sf /proc/self/fd /dev/fd; ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr',
    'echo vipkeeper-lab >/proc/sys/kernel/hostname',
    `modprobe -d ${quoted(join(folder, 'modules'))} -a -q ${modules.join(' ')}`,
    // The lines are raw: no carriage returns in what the command writes.
    `stty -opost <${out}; stty -opost <${err}`,
    ...(terminals.interactive
      ? [`setsid -c -w ${session} <${out} >${out} 2>${err}`]
      : [
          // Pipes, so that no program takes its output for a terminal that somebody watches.
          'mkfifo /run/out /run/err',
          `cat </run/out >${out} & out=$!; cat </run/err >${err} & err=$!`,
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

/** Puts modules where the guest's `modprobe` looks for them. @param modules holds a folder for each kernel version */
export function linkModules(folder: string, modules: string): void {
  mkdirSync(join(folder, 'modules/lib'), { recursive: true });
  symlinkSync(modules, join(folder, 'modules/lib/modules'));
}
