import { execFile } from 'node:child_process';
import type { Log } from '../core/ports.ts';

/** Asks the host for a kernel module; resolves whatever the outcome, since the kernel's own answer decides. */
export type ModuleLoader = (module: string) => Promise<void>;

const DEADLINE_MS = 10_000;

/**
 * The kernel loads schedulers and persistence engines by itself when they are first named, but not ip_vs, which
 * nothing names before it is there. Inside a container without modprobe or CAP_SYS_MODULE this does nothing.
 */
export function modprobe(log: Log): ModuleLoader {
  return (module) =>
    new Promise((resolve) => {
      const options = { timeout: DEADLINE_MS, env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' } };
      execFile('modprobe', ['--', module], options, (error, _stdout, stderr) => {
        if (error === null) log.info({ module }, 'loaded a kernel module');
        else log.debug({ module, reason: stderr.trim() || error.message }, 'modprobe did not load the module');
        resolve();
      });
    });
}
