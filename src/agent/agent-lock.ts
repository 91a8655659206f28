import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bootId } from './boot-id.ts';
import { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';

export interface LockOwner {
  readonly pid: number;
  /** Start of the process in clock ticks since boot (field 22 of /proc/PID/stat): pids are used again. */
  readonly startTicks: string;
  /** /proc/sys/kernel/random/boot_id: ticks start again with each boot. */
  readonly bootId: string;
}

export interface AgentLock {
  release(): void;
}

const LOCK_FILE = 'agent.lock';

/**
 * Takes the state directory for this process, making it if need be. A lock whose process is gone is taken over.
 * @returns STATE_DIR_LOCKED while another agent lives in it, STATE_DIR_UNUSABLE when it cannot be made or written to
 */
export function lockStateDir(stateDir: string): Result<AgentLock, CodedError> {
  const path = join(stateDir, LOCK_FILE);
  try {
    makeFolder(stateDir);
    for (let attempt = 0; attempt < 3; attempt++) {
      if (createLock(path)) return ok({ release: () => releaseLock(path) });
      const owner = readLock(stateDir);
      if (owner !== null && isAlive(owner)) {
        const message = `${stateDir} belongs to a running agent (pid ${owner.pid}); stop it, or give this one another stateDir`;
        return err(new CodedError('STATE_DIR_LOCKED', message));
      }
      // Renaming first makes sure that of two agents that found the same stale lock only one takes it away.
      const stale = `${path}.${process.pid}.stale`;
      renameSync(path, stale);
      rmSync(stale, { force: true });
    }
    return err(new CodedError('STATE_DIR_LOCKED', `${path} keeps changing hands`, { transient: true }));
  } catch (cause) {
    return err(new CodedError('STATE_DIR_UNUSABLE', `${stateDir} cannot be used as state directory`, { cause }));
  }
}

/** Step by step: on file systems that make no folders (/proc, automounts) Node's own recursive form never ends. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** Who holds the lock of a state directory, null when nobody does or the file is not readable as one. */
export function readLock(stateDir: string): LockOwner | null {
  try {
    const owner = JSON.parse(readFileSync(join(stateDir, LOCK_FILE), 'utf8')) as Partial<LockOwner> | null;
    const { pid, startTicks, bootId } = owner ?? {};
    if (typeof pid !== 'number' || typeof startTicks !== 'string' || typeof bootId !== 'string') return null;
    return { pid, startTicks, bootId };
  } catch {
    return null;
  }
}

export function isAlive(owner: LockOwner): boolean {
  return owner.bootId === bootId() && startTicksOf(owner.pid) === owner.startTicks;
}

/** Written aside and linked into place, so that nobody ever reads a lock without its owner. */
function createLock(path: string): boolean {
  const owner: LockOwner = { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '', bootId: bootId() };
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function releaseLock(path: string): void {
  rmSync(path, { force: true });
}

function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    return state === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
