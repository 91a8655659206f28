import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './errors.ts';
import { writeAtomically } from './files.ts';
import { isLocked } from './flock.ts';
import { RECORD_SUFFIX, SESSIONS_FOLDER, locate } from './paths.ts';

/**
 * Who answers for which ephemeral record. Each session has two files in `state/.sessions`: `<id>.lock`, which its
 * process keeps locked and touches from time to time, and `<id>.json`, which names its records. A session whose lock is
 * free belongs to a process that ended; its records stay until its time-out has passed since the last touch, so that a
 * restart finds them, and are then swept by whoever comes by.
 */
export interface SessionFile {
  readonly session: string;
  readonly pid: number;
  readonly host: string;
  readonly timeoutMs: number;
  readonly records: readonly string[];
}

export interface KnownSession extends SessionFile {
  /** Its process ended, and its time-out has passed. */
  readonly expired: boolean;
}

const SESSION_ID = /^[0-9a-f]{16}$/;
const MAX_SESSIONS = 1_000;

export function lockFile(root: string, session: string): string {
  return join(root, SESSIONS_FOLDER, `${session}.lock`);
}

export function mutexFile(root: string): string {
  return join(root, SESSIONS_FOLDER, '.mutex');
}

function listFile(root: string, session: string): string {
  return join(root, SESSIONS_FOLDER, `${session}.json`);
}

/** All sessions that the store knows. @throws errors of the file system */
export async function readSessions(root: string, wallClockMs: number): Promise<KnownSession[]> {
  const names = await readdir(join(root, SESSIONS_FOLDER)).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const sessions: KnownSession[] = [];
  for (const name of names.filter((each) => each.endsWith('.json')).slice(0, MAX_SESSIONS)) {
    const session = name.slice(0, -'.json'.length);
    if (!SESSION_ID.test(session)) continue;
    const file = await readSessionFile(root, session);
    if (file !== null) sessions.push({ ...file, expired: await isExpired(root, file, wallClockMs) });
  }
  return sessions;
}

export async function readSessionFile(root: string, session: string): Promise<SessionFile | null> {
  try {
    return parseSession(session, JSON.parse(await readFile(listFile(root, session), 'utf8')));
  } catch {
    // Swept meanwhile, or spoilt by hand: nobody answers for its records then.
    return null;
  }
}

export async function writeSessionFile(root: string, file: SessionFile): Promise<void> {
  await mkdir(join(root, SESSIONS_FOLDER), { recursive: true });
  await writeAtomically(listFile(root, file.session), Buffer.from(`${JSON.stringify(file)}\n`), { durable: false });
}

/** Takes away a session and everything it answers for. */
export async function removeSession(root: string, file: SessionFile): Promise<void> {
  for (const path of file.records) await removeRecord(root, path);
  await rm(listFile(root, file.session), { force: true });
  await rm(lockFile(root, file.session), { force: true });
}

export async function removeRecord(root: string, path: string): Promise<void> {
  const place = locate(root, path);
  if (place.ok) await rm(`${place.value}${RECORD_SUFFIX}`, { force: true });
}

async function isExpired(root: string, file: SessionFile, wallClockMs: number): Promise<boolean> {
  const lock = lockFile(root, file.session);
  try {
    const { mtimeMs } = await stat(lock);
    return wallClockMs - mtimeMs > file.timeoutMs && !(await isLocked(lock));
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
}

function parseSession(session: string, parsed: unknown): SessionFile | null {
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { pid, host, timeoutMs, records } = parsed as Record<string, unknown>;
  if (typeof pid !== 'number' || typeof host !== 'string' || typeof timeoutMs !== 'number') return null;
  if (!Array.isArray(records)) return null;
  const paths = records.filter((each): each is string => typeof each === 'string');
  return { session, pid, host, timeoutMs, records: paths };
}
