import type { Clock } from '../../core/ports.ts';
import { programRunner } from '../program.ts';
import type { ProgramEnd, RunProgram } from '../program.ts';

/** Nothing on stderr and status 0 is success; either alone is not (see `clean`). */
export function ipvsadmCommand(clock: Clock, program = 'ipvsadm'): RunProgram {
  const whenMissing = 'install ipvsadm, or choose another dataplane';
  return programRunner({ clock, program, code: 'IPVSADM_FAILED', whenMissing });
}

/**
 * With --restore, ipvsadm goes on after an error of the kernel and ends with the status of the last line, so a
 * success there hides earlier failures; stderr has a line for each.
 */
export function clean(end: ProgramEnd): boolean {
  return end.status === 0 && end.stderr === '';
}

/** The complaints on stderr, one for each operation that the kernel refused. */
export function complaintsIn(end: ProgramEnd): string[] {
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
