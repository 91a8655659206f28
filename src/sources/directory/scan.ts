import { createHash } from 'node:crypto';
import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { CodedError } from '../../core/errors.ts';
import { fileError, isMissing } from './errors.ts';
import { fingerprintOf, stampsOf } from './files.ts';
import type { Stamps } from './files.ts';
import { RECORD_SUFFIX, isHidden } from './paths.ts';

const MAX_ENTRIES = 200_000;
const MAX_DEPTH = 16;
/** A record is small and meant for hand editing; what is larger is something else. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** The digest of a store whose root is not there. */
export const NO_ROOT = 'no root';
/** Questions to the file system at once; Node has four threads for them. */
const PARALLEL = 16;

/** A record's place as it was found, without its content. */
export type ScannedEntry =
  | { readonly kind: 'file'; readonly stats: Stamps; readonly fingerprint: string }
  | { readonly kind: 'folder'; readonly stats: Stamps; readonly fingerprint: string }
  /** Something lies there that cannot be a record; why is for people. */
  | { readonly kind: 'odd'; readonly why: string; readonly stats: Stamps; readonly fingerprint: string };

export interface Scan {
  /** Whether the folder that was asked for is there. */
  readonly exists: boolean;
  /** Record path → what lies there. */
  readonly entries: ReadonlyMap<string, ScannedEntry>;
  /** Absolute paths of all folders, for watching. */
  readonly folders: readonly string[];
  /** Equal for two scans that found the same. */
  readonly digest: string;
  /** Names that no record has and that are not hidden either: nobody reads them, which may surprise their author. */
  readonly ignored: readonly string[];
}

/**
 * Lists what lies at and below a record path, asking only for names and stamps.
 * @param root the store's real path
 * @throws CodedError when a folder cannot be read: what it holds is then unknown, which is not the same as nothing
 */
export async function scan(root: string, prefix: string): Promise<Scan> {
  const walk = new Walk(root);
  await walk.ownFile(prefix);
  const exists = await walk.folder(prefix, 0);
  return walk.result(exists);
}

/** What lies at one record path, not below it. @throws CodedError */
export async function scanOne(root: string, path: string): Promise<ScannedEntry | null> {
  const walk = new Walk(root);
  await walk.ownFile(path);
  await walk.ownFolder(path);
  return walk.result(true).entries.get(path) ?? null;
}

class Walk {
  readonly #root: string;
  readonly #entries = new Map<string, ScannedEntry>();
  readonly #folders: string[] = [];
  readonly #ignored: string[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  result(exists: boolean): Scan {
    const hash = createHash('sha1');
    const paths = [...this.#entries.keys()].sort();
    for (const path of paths) {
      const entry = this.#entries.get(path);
      if (entry !== undefined) hash.update(`${path}\0${entry.kind}\0${entry.fingerprint}\n`);
    }
    return {
      exists,
      entries: this.#entries,
      folders: this.#folders,
      digest: `${exists}:${hash.digest('hex')}`,
      ignored: this.#ignored,
    };
  }

  /** The record of the prefix itself, which lies beside the folder of the same name. */
  async ownFile(prefix: string): Promise<void> {
    await this.#file(`${prefix}${RECORD_SUFFIX}`, prefix);
  }

  /** @returns false when there is no such folder */
  async folder(path: string, depth: number): Promise<boolean> {
    const absolute = join(this.#root, path);
    const names = await listFolder(absolute);
    if (names === null) return false;
    if (depth > MAX_DEPTH) throw new CodedError('STORE_TOO_LARGE', `${absolute}: more than ${MAX_DEPTH} folders deep`);
    this.#folders.push(absolute);
    const visible = names.filter((each) => !isHidden(each.name));
    if (this.#entries.size + visible.length > MAX_ENTRIES) {
      throw new CodedError('STORE_TOO_LARGE', `more than ${MAX_ENTRIES} files and folders below ${this.#root}`);
    }
    const records = visible.filter((each) => !each.isDirectory() && each.name.endsWith(RECORD_SUFFIX));
    await inParallel(records, (each) => {
      // Joined, not cut out: a slice keeps the longer text in memory, and is slow to compare with others.
      const record = [path, each.name.slice(0, -RECORD_SUFFIX.length)].join('/');
      return this.#file(`${path}/${each.name}`, record);
    });
    for (const each of visible) {
      const relative = `${path}/${each.name}`;
      if (each.isDirectory()) {
        if (await this.folder(relative, depth + 1)) await this.ownFolder(relative);
      } else if (each.isSymbolicLink() && !each.name.endsWith(RECORD_SUFFIX)) {
        await this.#otherLink(relative);
      } else if (!each.name.endsWith(RECORD_SUFFIX)) this.#ignored.push(relative);
    }
    return true;
  }

  async #file(relative: string, path: string): Promise<void> {
    const file = join(this.#root, relative);
    try {
      const own = await lstat(file, { bigint: true });
      if (!own.isSymbolicLink()) {
        this.#add(path, own);
        return;
      }
      const target = await followLink(this.#root, file);
      if (typeof target === 'string') this.#addOdd(path, target, own);
      else this.#add(path, target, `${fingerprintOf(own)}>`);
    } catch (error) {
      // Gone since its name was read, which is an answer too.
      if (!isMissing(error)) throw fileError(error, file);
    }
  }

  /** @param link fingerprint of the link that leads to it */
  #add(path: string, stats: BigIntStats, link = ''): void {
    if (!stats.isFile()) this.#addOdd(path, 'it is not a regular file', stats);
    else if (stats.size > BigInt(MAX_FILE_BYTES))
      this.#addOdd(path, `it is larger than ${MAX_FILE_BYTES} bytes`, stats);
    else {
      const stamps = stampsOf(stats);
      this.#entries.set(path, { kind: 'file', stats: stamps, fingerprint: `${link}${stamps.fingerprint}` });
    }
  }

  #addOdd(path: string, why: string, stats: BigIntStats): void {
    const stamps = stampsOf(stats);
    this.#entries.set(path, { kind: 'odd', why, stats: stamps, fingerprint: stamps.fingerprint });
  }

  /** The folder as a record of its own. */
  async ownFolder(path: string): Promise<void> {
    // A record of the same path tells more than its folder.
    if (this.#entries.has(path)) return;
    try {
      const stats = await lstat(join(this.#root, path), { bigint: true });
      if (!stats.isDirectory()) return;
      // A folder's stamps move with every file in it; that it is there is all it says.
      this.#entries.set(path, { kind: 'folder', stats: stampsOf(stats), fingerprint: `${stats.ino}` });
    } catch (error) {
      if (!isMissing(error)) throw fileError(error, path);
    }
  }

  /** A link to a folder may have been meant to bring records in; a link to anything else is like any other file. */
  async #otherLink(relative: string): Promise<void> {
    const absolute = join(this.#root, relative);
    const [own, target] = await Promise.all([statsOf(lstat, absolute), statsOf(stat, absolute)]);
    if (own !== null && target?.isDirectory() === true) this.#addOdd(relative, 'linked folders are not read', own);
    else this.#ignored.push(relative);
  }
}

function statsOf(ask: typeof lstat, absolute: string): Promise<BigIntStats | null> {
  return ask(absolute, { bigint: true }).catch(() => null);
}

/** The target's stats, or why the link is not followed. */
async function followLink(root: string, file: string): Promise<BigIntStats | string> {
  try {
    const target = await realpath(file);
    if (!target.startsWith(root + sep)) return 'it is a symbolic link that leaves the store';
    return await stat(file, { bigint: true });
  } catch (error) {
    return isMissing(error) ? 'it is a symbolic link to nothing' : fileError(error, 'symbolic link').message;
  }
}

/** null = there is no such folder. */
async function listFolder(absolute: string): Promise<Dirent[] | null> {
  try {
    return await readdir(absolute, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return null;
    throw fileError(error, absolute);
  }
}

export async function inParallel<T>(items: readonly T[], job: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await job(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
}
