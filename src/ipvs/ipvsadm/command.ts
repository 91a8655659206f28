import { spawn } from 'node:child_process';
import { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';

/** How a run of ipvsadm ended. Nothing on stderr and status 0 is success; either alone is not (see `clean`). */
export interface CommandEnd {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs ipvsadm; an error means that it could not be run or did not end in time, so its outcome is not known. */
export type RunIpvsadm = (args: readonly string[], input?: string) => Promise<Result<CommandEnd, CodedError>>;

const DEADLINE_MS = 60_000;
const OUTPUT_BYTES = 128 * 1024 * 1024;

export function ipvsadmCommand(clock: Clock, program = 'ipvsadm'): RunIpvsadm {
  return (args, input = '') =>
    new Promise((resolve) => {
      const child = spawn(program, args, { env: { ...process.env, LC_ALL: 'C' }, stdio: 'pipe' });
      const chunks: { readonly stdout: Buffer[]; readonly stderr: Buffer[] } = { stdout: [], stderr: [] };
      let bytes = 0;
      const fail = (text: string, cause?: unknown): void => {
        cancel();
        child.kill('SIGKILL');
        resolve(
          err(new CodedError('IPVSADM_FAILED', `${program} ${args.join(' ')}: ${text}`, { cause, transient: true })),
        );
      };
      const cancel = clock.after(DEADLINE_MS, () => {
        fail(`killed after ${DEADLINE_MS / 1000} s`);
      });
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > OUTPUT_BYTES) fail(`more than ${OUTPUT_BYTES} bytes of output`);
          else chunks[stream].push(chunk);
        });
      }
      child.on('error', (error) => {
        fail('could not be started', error);
      });
      child.on('close', (status, signal) => {
        cancel();
        if (status === null) fail(`ended by ${signal ?? 'a signal'}`);
        const text = (stream: 'stdout' | 'stderr'): string => Buffer.concat(chunks[stream]).toString('utf8');
        resolve(ok({ status: status ?? -1, stdout: text('stdout'), stderr: text('stderr').trim() }));
      });
      // It stops reading at the first line it cannot parse; the status and stderr tell of that.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
}

/**
 * With --restore, ipvsadm goes on after an error of the kernel and ends with the status of the last line, so a
 * success there hides earlier failures; stderr has a line for each.
 */
export function clean(end: CommandEnd): boolean {
  return end.status === 0 && end.stderr === '';
}

/** The complaints on stderr, one for each operation that the kernel refused. */
export function complaintsIn(end: CommandEnd): string[] {
  return end.stderr.split('\n').filter((line) => line !== '');
}

/** ipvsadm's words for errno values (ip_vs_strerror in libipvs.c). */
const ERRNO_BY_TEXT: readonly (readonly [text: string, errno: string])[] = [
  ['Service already exists', 'EEXIST'],
  ['Destination already exists', 'EEXIST'],
  ['Scheduler or persistence engine not found', 'ENOENT'],
  ['No such destination', 'ENOENT'],
  ['No such service', 'ESRCH'],
  ['Service not defined', 'ESRCH'],
  ['Permission denied', 'EPERM'],
  ['Invalid operation', 'EINVAL'],
  ['Numerical result out of range', 'ERANGE'],
  ['Memory allocation problem', 'ENOMEM'],
  ['Operation not supported', 'EAFNOSUPPORT'],
  ['Protocol not available', 'ENOPROTOOPT'],
];

export function errnoIn(stderr: string): string {
  return ERRNO_BY_TEXT.find(([text]) => stderr.includes(text))?.[1] ?? 'EINVAL';
}
