import { mkdirSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HEARTBEAT_MS = 2_000;
/** An owner that we cannot see (in a guest, in a container) counts as gone when its heartbeat is this old. */
const STALE_MS = 30_000;

/**
 * Runs `work` while no other process does so for the same folder. The lock is a folder, which mkdir makes or refuses
 * in one step; the owner's heartbeat is the time of the file inside it. A lock whose owner died is taken over.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const owner = join(folder, 'owner');
  while (!tryMake(folder)) {
    if (isStale(folder, owner)) rmSync(folder, { recursive: true, force: true });
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
  writeFileSync(owner, JSON.stringify({ pid: process.pid, space: processSpace() }));
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimesSync(owner, now, now);
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(folder, { recursive: true, force: true });
  }
}

function tryMake(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function isStale(folder: string, owner: string): boolean {
  try {
    const { pid, space } = JSON.parse(readFileSync(owner, 'utf8')) as { pid: number; space: string };
    if (space === processSpace() && !isAlive(pid)) return true;
    return Date.now() - statSync(owner).mtimeMs > STALE_MS;
  } catch {
    return lockAge(folder) > STALE_MS;
  }
}

function lockAge(folder: string): number {
  try {
    return Date.now() - statSync(folder).mtimeMs;
  } catch {
    return 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Process ids compare only within one boot of one kernel and one pid namespace. */
function processSpace(): string {
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
}
