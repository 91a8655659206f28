import { spawn } from 'node:child_process';
import { CodedError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';

/** How a run of a program ended. */
export interface ProgramEnd {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program; an error means that it could not be run or did not end in time, so its outcome is not known. */
export type RunProgram = (args: readonly string[], input?: string) => Promise<Result<ProgramEnd, CodedError>>;

const DEADLINE_MS = 60_000;
const OUTPUT_BYTES = 128 * 1024 * 1024;

export interface ProgramOptions {
  readonly clock: Clock;
  readonly program: string;
  /** Code of the errors. */
  readonly code: ErrorCode;
  /** What to do when the program is not there. */
  readonly whenMissing: string;
}

export function programRunner({ clock, program, code, whenMissing }: ProgramOptions): RunProgram {
  return (args, input = '') =>
    new Promise((resolve) => {
      const child = spawn(program, args, { env: { ...process.env, LC_ALL: 'C' }, stdio: 'pipe' });
      const chunks: { readonly stdout: Buffer[]; readonly stderr: Buffer[] } = { stdout: [], stderr: [] };
      let bytes = 0;
      const fail = (text: string, cause?: unknown): void => {
        cancel();
        child.kill('SIGKILL');
        resolve(err(new CodedError(code, `${program} ${args.join(' ')}: ${text}`, { cause, transient: true })));
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
      child.on('error', (error: NodeJS.ErrnoException) => {
        fail(error.code === 'ENOENT' ? `there is no such program: ${whenMissing}` : 'could not be started', error);
      });
      child.on('close', (status, signal) => {
        cancel();
        if (status === null) fail(`ended by ${signal ?? 'a signal'}`);
        const text = (stream: 'stdout' | 'stderr'): string => Buffer.concat(chunks[stream]).toString('utf8');
        resolve(ok({ status: status ?? -1, stdout: text('stdout'), stderr: text('stderr').trim() }));
      });
      // A program that stops at a line it cannot parse does not read the rest; the status and stderr tell of that.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
}
