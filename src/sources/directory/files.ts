import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What a scan keeps of a file's stats, which are 600 bytes: it may meet two hundred thousand files. */
export interface Stamps {
  readonly birthtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly fingerprint: string;
}

export function stampsOf(stats: BigIntStats): Stamps {
  const { birthtimeNs, ctimeNs, mode, uid, gid } = stats;
  const fingerprint = fingerprintOf(stats);
  return { birthtimeNs, ctimeNs, mode: Number(mode), uid: Number(uid), gid: Number(gid), fingerprint };
}

type Identity = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>;

/** What changes whenever a file does: content, owner and mode all move ctime, and a replaced file is another inode. */
export function fingerprintOf(stats: Identity): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  // One text: a template keeps its nine parts, and with them 400 bytes for each file that is remembered. In few digits,
  // and what lies between two times is shorter than a time.
  return [dev, ino, size, ctimeNs - mtimeNs, ctimeNs].map((part) => part.toString(32)).join('.');
}

/**
 * The kernel stamps files from a clock that ticks every 1 to 10 ms. A file that changed less than this long before it
 * was read could change once more within the same tick and show the same stamps.
 */
export const TICK_MS = 25;

export function isFresh(stats: { readonly ctimeNs: bigint }, wallClockMs: number): boolean {
  return BigInt(Math.floor(wallClockMs)) * 1_000_000n - stats.ctimeNs < BigInt(TICK_MS) * 1_000_000n;
}

export type FileReading =
  | { readonly kind: 'read'; readonly bytes: Buffer; readonly stats: BigIntStats }
  /** Somebody wrote to it, or replaced it, while we read. */
  | { readonly kind: 'changing' };

/**
 * Reads a regular file whole, and says so if it was not the same file of the same content before and after.
 * @throws errors of the file system
 */
export async function readWhole(file: string, expected: string | null): Promise<FileReading> {
  // Without O_NONBLOCK, opening what has just become a named pipe would wait for a writer.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = await handle.stat({ bigint: true });
    const fingerprint = fingerprintOf(before);
    if (!before.isFile() || (expected !== null && fingerprint !== expected)) return { kind: 'changing' };
    const bytes = await readUpTo(handle, Number(before.size) + 1);
    const after = await handle.stat({ bigint: true });
    const same = fingerprintOf(after) === fingerprint && bytes.length === Number(before.size);
    return same ? { kind: 'read', bytes, stats: after } : { kind: 'changing' };
  } finally {
    await handle.close();
  }
}

async function readUpTo(handle: FileHandle, limit: number): Promise<Buffer> {
  // A part of the memory that small buffers share: one of its own costs each record 300 bytes more.
  const buffer = Buffer.allocUnsafe(limit);
  let length = 0;
  while (length < limit) {
    const { bytesRead } = await handle.read(buffer, length, limit - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

export interface WriteOptions {
  /** Survive a power cut. What dies with the process that wrote it need not. */
  readonly durable: boolean;
  /** The file that is replaced: its mode and owner are kept. */
  readonly like?: Stamps | undefined;
}

/** Puts a file in place in one step: a reader finds the old content or the new, never a part. */
export async function writeAtomically(file: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(bytes);
      if (options.like !== undefined) await keepOwner(handle, options.like);
      if (options.durable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (options.durable) await syncFolder(dirname(file));
}

async function keepOwner(handle: FileHandle, like: Stamps): Promise<void> {
  await handle.chmod(like.mode & 0o7777);
  const own = await handle.stat();
  if (own.uid === like.uid && own.gid === like.gid) return;
  // Only root may give files away; anyone else's replacement is theirs, as with any editor.
  await handle.chown(like.uid, like.gid).catch(() => undefined);
}

/** Makes renames and deletions in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
