import { mkdir, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CodedError } from '../../core/errors.ts';
import { silentLog } from '../../core/ports.ts';
import type { Clock, Unsubscribe } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { StoreClient, StoreRecord, WatchHandlers, WriteOp } from '../source.ts';
import { CreationIndex } from './creation-index.ts';
import { fileError, isMissing } from './errors.ts';
import { TICK_MS, isFresh, readWhole, syncFolder, writeAtomically } from './files.ts';
import { withLock } from './flock.ts';
import { readSessions } from './ownership.ts';
import { CREATION_INDEX, RECORD_SUFFIX, STATE_FOLDER, WRITE_LOCK, isBelow, isHidden, locate } from './paths.ts';
import { scanOne } from './scan.ts';
import type { ScannedEntry } from './scan.ts';
import type { DirectorySettings } from './settings.ts';
import { TreeReader } from './tree-reader.ts';
import { TreeWatch } from './tree-watch.ts';

/** Readings of something that changes all the time end after this many. */
const ATTEMPTS = 20;

/**
 * The operators' port to a directory store. A write checks every expectation first, under a lock that all vipkeeper
 * clients take, and then goes one by one: each file is replaced in one step, but a power cut may come between two.
 * Editors take no lock; the revision of a record is its change time, so what they did before the check is seen.
 */
export class DirectoryStoreClient implements StoreClient {
  readonly limits = { atomic: false, operations: Infinity, bytes: Infinity };
  readonly #root: string;
  readonly #clock: Clock;
  readonly #index: CreationIndex;
  readonly #watches = new Set<TreeWatch>();

  constructor(settings: Pick<DirectorySettings, 'path'>, clock: Clock) {
    this.#root = settings.path;
    this.#clock = clock;
    this.#index = new CreationIndex(join(settings.path, CREATION_INDEX));
  }

  async get(path: string): Promise<Result<StoreRecord | null, CodedError>> {
    return this.#guarded(path, async (root) => {
      await this.#index.load();
      const record = await this.#read(root, path);
      return record !== null && (await this.#expiredRecords(root, path)).has(path) ? null : record;
    });
  }

  async list(prefix: string): Promise<Result<readonly StoreRecord[], CodedError>> {
    return this.#guarded(prefix, async (root) => {
      await this.#index.load();
      const reader = new TreeReader(prefix, this.#index, this.#clock, silentLog);
      for (let attempt = 1; ; attempt++) {
        const reading = await reader.read(root);
        if (!reading.ok) throw reading.error;
        const records = [...reading.value.records.values()];
        const fresh = records.some((each) => isFresh({ ctimeNs: each.modified }, this.#clock.now()));
        if (!fresh || attempt === ATTEMPTS) {
          const expired = await this.#expiredRecords(root, prefix);
          const own = await scanOne(root, prefix);
          if (own?.kind === 'folder') records.push(folderRecord(prefix, own));
          return records.filter((each) => !expired.has(each.path)).sort((a, b) => (a.path < b.path ? -1 : 1));
        }
        await this.#tick();
      }
    });
  }

  async write(ops: readonly WriteOp[]): Promise<Result<void, CodedError>> {
    for (const op of ops) {
      const place = locate(this.#root, op.path);
      if (!place.ok) return place;
    }
    try {
      await mkdir(this.#root, { recursive: true });
      await withLock(join(this.#root, WRITE_LOCK), this.#clock, () => this.#write(ops));
      return ok(undefined);
    } catch (error) {
      return err(fileError(error, this.#root));
    }
  }

  watch(prefix: string, handlers: WatchHandlers): Unsubscribe {
    const watch = new TreeWatch(this.#root, prefix, { clock: this.#clock, log: silentLog }, handlers);
    this.#watches.add(watch);
    watch.start();
    return () => void watch.stop();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#watches].map((watch) => watch.stop()));
  }

  async #write(ops: readonly WriteOp[]): Promise<void> {
    const root = await realpath(this.#root);
    await this.#index.load();
    const before = new Map<WriteOp, ScannedEntry | null>();
    for (const op of ops) {
      before.set(op, await scanOne(root, op.path));
      check(op, await this.#read(root, op.path));
    }
    const entered = new Map<string, bigint>();
    const dropped: string[] = [];
    let done = 0;
    try {
      for (const op of inOrder(ops)) {
        const entry = before.get(op) ?? null;
        if (op.kind === 'delete') await remove(root, op.path);
        else if (op.bytes.length === 0) await makeFolder(root, op.path);
        else await put(root, op.path, op.bytes, entry);
        done += 1;
        const now = op.kind === 'delete' ? null : await scanOne(root, op.path);
        if (now?.kind !== 'file') dropped.push(op.path);
        else entered.set(op.path, entry?.kind === 'file' ? entry.stats.birthtimeNs : now.stats.birthtimeNs);
      }
    } catch (error) {
      const cause = fileError(error, root);
      if (done === 0) throw cause;
      throw new CodedError(cause.code, `only ${done} of ${ops.length} changes were made: ${cause.message}`);
    } finally {
      // Without it birth times stand in, so a state folder that we may not write to is no reason to fail.
      await this.#index.change(entered, dropped).catch(() => undefined);
    }
  }

  /** A record whose revision can be trusted: its last change is so old that another one must show. */
  async #read(root: string, path: string): Promise<StoreRecord | null> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const entry = await scanOne(root, path);
      if (entry === null) return null;
      const created = this.#index.createdOf(path, entry.stats.birthtimeNs);
      if (entry.kind === 'folder')
        return { path, bytes: new Uint8Array(0), created, modified: entry.stats.birthtimeNs };
      if (entry.kind === 'odd') throw new CodedError('STORE_FORBIDDEN', `${path} cannot be read: ${entry.why}`);
      if (!isFresh(entry.stats, this.#clock.now())) {
        const reading = await readWhole(join(root, `${path}${RECORD_SUFFIX}`), entry.stats.fingerprint).catch(
          (error: unknown) => {
            if (isMissing(error)) return null;
            throw error;
          },
        );
        if (reading?.kind === 'read') return { path, bytes: reading.bytes, created, modified: entry.stats.ctimeNs };
      }
      await this.#tick();
    }
    throw new CodedError('STORE_CONFLICT', `${path} is being written all the time`, { transient: true });
  }

  /** Ephemeral records whose session is over, but which nobody has swept yet. */
  async #expiredRecords(root: string, path: string): Promise<ReadonlySet<string>> {
    if (!isBelow(path, STATE_FOLDER)) return new Set();
    const sessions = await readSessions(root, this.#clock.now());
    return new Set(sessions.filter((each) => each.expired).flatMap((each) => each.records));
  }

  async #guarded<T>(path: string, job: (root: string) => Promise<T>): Promise<Result<T, CodedError>> {
    const place = locate(this.#root, path);
    if (!place.ok) return place;
    try {
      return ok(await job(await realpath(this.#root)));
    } catch (error) {
      return err(fileError(error, this.#root));
    }
  }

  #tick(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(TICK_MS, resolve));
  }
}

function folderRecord(path: string, { stats }: ScannedEntry): StoreRecord {
  return { path, bytes: new Uint8Array(0), created: stats.birthtimeNs, modified: stats.birthtimeNs };
}

/** @throws CodedError when the record is not as the operation expects it */
function check(op: WriteOp, found: StoreRecord | null): void {
  if (op.expected === undefined) {
    if (op.kind === 'put' || found !== null) return;
    throw new CodedError('STORE_NOT_FOUND', `${op.path} does not exist; nothing was written`);
  }
  if (op.expected === null) {
    if (found === null) return;
    throw new CodedError('STORE_CONFLICT', `${op.path} exists already; nothing was written`);
  }
  if (found?.modified === op.expected) return;
  const how = found === null ? 'has vanished' : 'was changed meanwhile';
  throw new CodedError('STORE_CONFLICT', `${op.path} ${how}; nothing was written`);
}

async function put(root: string, path: string, bytes: Uint8Array, entry: ScannedEntry | null): Promise<void> {
  const file = join(root, `${path}${RECORD_SUFFIX}`);
  await mkdir(dirname(file), { recursive: true });
  // A link stays a link: what it points to is replaced.
  const target = entry?.kind === 'file' ? await realpath(file) : file;
  await writeAtomically(target, bytes, { durable: true, like: entry?.kind === 'file' ? entry.stats : undefined });
}

async function makeFolder(root: string, path: string): Promise<void> {
  await mkdir(join(root, path), { recursive: true });
  await rm(join(root, `${path}${RECORD_SUFFIX}`), { force: true });
}

/** Nothing is taken away before what comes is there, and what lies deepest goes first. */
function inOrder(ops: readonly WriteOp[]): WriteOp[] {
  const depth = (op: WriteOp): number => op.path.split('/').length;
  const deletions = ops.filter((op) => op.kind === 'delete').sort((a, b) => depth(b) - depth(a));
  return [...ops.filter((op) => op.kind === 'put'), ...deletions];
}

async function remove(root: string, path: string): Promise<void> {
  const file = join(root, `${path}${RECORD_SUFFIX}`);
  const folder = join(root, path);
  try {
    await rm(file);
    await syncFolder(dirname(file));
  } catch (error) {
    if (!isMissing(error)) throw error;
    await removeEmptyFolders(folder);
    await rmdir(folder);
    return;
  }
  // An empty folder of the record goes with it; one with records in it stays, as their folder.
  await removeEmptyFolders(folder);
  await rmdir(folder).catch(() => undefined);
}

async function removeEmptyFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory() || isHidden(entry.name)) continue;
    await removeEmptyFolders(join(folder, entry.name));
    await rmdir(join(folder, entry.name)).catch(() => undefined);
  }
}
