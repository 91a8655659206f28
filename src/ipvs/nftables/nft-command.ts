import { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { programRunner } from '../program.ts';
import type { RunProgram } from '../program.ts';
import { parseListing } from './listing.ts';
import type { Listing } from './listing.ts';

export function nftCommand(clock: Clock, program = 'nft'): RunProgram {
  const whenMissing = 'install nftables, or choose another dataplane';
  return programRunner({ clock, program, code: 'NFT_FAILED', whenMissing });
}

/**
 * Reads a table of family inet. Terse: the elements of named sets (clients that stay with a real) may be many, and no
 * decision needs them; those of the maps in our rules are printed all the same. Protocols as numbers, because names
 * depend on the host's /etc/protocols.
 * @returns null = there is no such table
 */
export async function listTable(run: RunProgram, table: string): Promise<Result<Listing | null, CodedError>> {
  const args = ['--json', '--terse', '--numeric-protocol', 'list', 'table', 'inet', table];
  const end = await run(args);
  if (!end.ok) return end;
  const { status, stdout, stderr } = end.value;
  const name = `nft ${args.join(' ')}`;
  if (status !== 0) {
    if (stderr.includes('No such file or directory')) return ok(null);
    const advice = deniedIn(stderr) ? ' (the agent needs CAP_NET_ADMIN in this network namespace)' : '';
    return err(new CodedError('NFT_FAILED', `${name} ended with status ${status}: ${stderr}${advice}`));
  }
  const listing = parseListing(stdout, table);
  if (listing.ok) return listing;
  return err(new CodedError('NFT_FAILED', `${name} printed what we cannot read: ${listing.error}`));
}

/** What nft(8) says of one command of a script that the kernel or it refused. */
export interface Complaint {
  /** Counted from 0. */
  readonly line: number;
  readonly text: string;
}

/** `/dev/stdin:12:1-30: Error: Could not process rule: File exists` and two lines that show where. */
export function complaintsIn(stderr: string): Complaint[] {
  const found = stderr.matchAll(/^[^\s:]*:(\d+):\d+(?:-\d+)?: Error: (.*)$/gm);
  return Array.from(found, ([, line, text = '']) => ({ line: Number(line) - 1, text }));
}

const ERRNO_BY_TEXT: readonly (readonly [text: string, errno: string])[] = [
  ['Operation not permitted', 'EPERM'],
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Address family not supported', 'EAFNOSUPPORT'],
  ['Protocol not supported', 'EPROTONOSUPPORT'],
  ['Cannot allocate memory', 'ENOMEM'],
  ['No buffer space available', 'ENOBUFS'],
  ['Message too long', 'EMSGSIZE'],
  ['Numerical result out of range', 'ERANGE'],
];

/** The errno behind the C library's words for it. */
export function errnoIn(text: string): string {
  return ERRNO_BY_TEXT.find(([words]) => text.includes(words))?.[1] ?? 'EINVAL';
}

export function deniedIn(stderr: string): boolean {
  return errnoIn(stderr) === 'EPERM';
}
