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

/** What a scan tells without its entries. */
export type Glance = Omit<Scan, 'entries'>;

/**
 * Lists what lies at and below a record path, asking only for names and stamps.
 * @param root the store's real path
 * @throws CodedError when a folder cannot be read: what it holds is then unknown, which is not the same as nothing
 */
export async function scan(root: string, prefix: string): Promise<Scan> {
  const entries = new Map<string, ScannedEntry>();
  const seen = await walk(root, prefix, (path, entry) => entries.set(path, entry));
  return { ...seen, entries };
}

/** The same for whoever only compares: nothing is kept of ten thousand files, every few seconds. */
export function glance(root: string, prefix: string): Promise<Glance> {
  return walk(root, prefix, () => undefined);
}

/** What lies at one record path, not below it. @throws CodedError */
export async function scanOne(root: string, path: string): Promise<ScannedEntry | null> {
  let found: ScannedEntry | null = null;
  const walker = new Walk(root, (_, entry) => (found = entry));
  if (!(await walker.ownFile(path))) await walker.ownFolder(path);
  return found;
}

type Take = (path: string, entry: ScannedEntry) => void;

async function walk(root: string, prefix: string, take: Take): Promise<Glance> {
  const walker = new Walk(root, take);
  await walker.ownFile(prefix);
  const exists = await walker.folder(prefix, 0);
  return walker.result(exists);
}

/** Shows what it finds folder by folder, each in the order of its names, so that equal trees have equal digests. */
class Walk {
  readonly #root: string;
  readonly #take: Take;
  readonly #hash = createHash('sha1');
  readonly #folders: string[] = [];
  readonly #ignored: string[] = [];
  #count = 0;

  constructor(root: string, take: Take) {
    this.#root = root;
    this.#take = take;
  }

  result(exists: boolean): Glance {
    const digest = `${exists}:${this.#hash.digest('hex')}`;
    return { exists, folders: this.#folders, digest, ignored: this.#ignored };
  }

  /** The record of the prefix itself, which lies beside the folder of the same name. @returns whether there is one */
  async ownFile(prefix: string): Promise<boolean> {
    const entry = await this.#file(`${prefix}${RECORD_SUFFIX}`);
    if (entry !== null) this.#found([[prefix, entry]]);
    return entry !== null;
  }

  /** @returns false when there is no such folder */
  async folder(path: string, depth: number): Promise<boolean> {
    const absolute = join(this.#root, path);
    const names = await listFolder(absolute);
    if (names === null) return false;
    if (depth > MAX_DEPTH) throw new CodedError('STORE_TOO_LARGE', `${absolute}: more than ${MAX_DEPTH} folders deep`);
    this.#folders.push(absolute);
    const visible = names.filter((each) => !isHidden(each.name)).sort((a, b) => (a.name < b.name ? -1 : 1));
    if (this.#count + visible.length > MAX_ENTRIES) {
      throw new CodedError('STORE_TOO_LARGE', `more than ${MAX_ENTRIES} files and folders below ${this.#root}`);
    }
    const records = await this.#records(path, visible);
    this.#found(records);
    const taken = new Set(records.map(([record]) => record));
    for (const each of visible) {
      const relative = `${path}/${each.name}`;
      if (each.isDirectory()) {
        // A record of the same path tells more than its folder.
        if ((await this.folder(relative, depth + 1)) && !taken.has(relative)) await this.ownFolder(relative);
      } else if (each.isSymbolicLink() && !each.name.endsWith(RECORD_SUFFIX)) {
        await this.#otherLink(relative);
      } else if (!each.name.endsWith(RECORD_SUFFIX)) this.#ignored.push(relative);
    }
    return true;
  }

  /** In the order of their names, however the answers came. */
  async #records(folder: string, names: readonly Dirent[]): Promise<Found[]> {
    const files = names.filter((each) => !each.isDirectory() && each.name.endsWith(RECORD_SUFFIX));
    const entries: (ScannedEntry | null)[] = [];
    await inParallel([...files.keys()], async (at) => {
      entries[at] = await this.#file(`${folder}/${files[at]?.name}`);
    });
    return files.flatMap(({ name }, at): Found[] => {
      const entry = entries[at] ?? null;
      // Joined, not cut out: a slice keeps the longer text in memory, and is slow to compare with others.
      return entry === null ? [] : [[[folder, name.slice(0, -RECORD_SUFFIX.length)].join('/'), entry]];
    });
  }

  #found(entries: readonly Found[]): void {
    this.#count += entries.length;
    // At once: a call for each costs more than the hash.
    this.#hash.update(entries.map(([path, { kind, fingerprint }]) => `${path}\0${kind}\0${fingerprint}\n`).join(''));
    for (const [path, entry] of entries) this.#take(path, entry);
  }

  /** null: gone since its name was read, which is an answer too. */
  async #file(relative: string): Promise<ScannedEntry | null> {
    const file = join(this.#root, relative);
    try {
      const own = await lstat(file, { bigint: true });
      if (!own.isSymbolicLink()) return fileEntry(own);
      const target = await followLink(this.#root, file);
      return typeof target === 'string' ? odd(target, own) : fileEntry(target, `${fingerprintOf(own)}>`);
    } catch (error) {
      if (!isMissing(error)) throw fileError(error, file);
      return null;
    }
  }

  /** The folder as a record of its own. */
  async ownFolder(path: string): Promise<void> {
    try {
      const stats = await lstat(join(this.#root, path), { bigint: true });
      if (!stats.isDirectory()) return;
      // A folder's stamps move with every file in it; that it is there is all it says.
      this.#found([[path, { kind: 'folder', stats: stampsOf(stats), fingerprint: `${stats.ino}` }]]);
    } catch (error) {
      if (!isMissing(error)) throw fileError(error, path);
    }
  }

  /** A link to a folder may have been meant to bring records in; a link to anything else is like any other file. */
  async #otherLink(relative: string): Promise<void> {
    const absolute = join(this.#root, relative);
    const [own, target] = await Promise.all([statsOf(lstat, absolute), statsOf(stat, absolute)]);
    if (own !== null && target?.isDirectory() === true) {
      this.#found([[relative, odd('linked folders are not read', own)]]);
    } else this.#ignored.push(relative);
  }
}

type Found = readonly [path: string, entry: ScannedEntry];

/** @param link fingerprint of the link that leads to it */
function fileEntry(stats: BigIntStats, link = ''): ScannedEntry {
  if (!stats.isFile()) return odd('it is not a regular file', stats);
  if (stats.size > BigInt(MAX_FILE_BYTES)) return odd(`it is larger than ${MAX_FILE_BYTES} bytes`, stats);
  const stamps = stampsOf(stats);
  return { kind: 'file', stats: stamps, fingerprint: `${link}${stamps.fingerprint}` };
}

function odd(why: string, stats: BigIntStats): ScannedEntry {
  const stamps = stampsOf(stats);
  return { kind: 'odd', why, stats: stamps, fingerprint: stamps.fingerprint };
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
