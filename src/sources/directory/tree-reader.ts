import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../../core/errors.ts';
import type { Clock, Log } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { StoreRecord } from '../source.ts';
import type { CreationIndex } from './creation-index.ts';
import { errnoOf, fileError, isMissing } from './errors.ts';
import { isFresh, readWhole } from './files.ts';
import { RECORD_SUFFIX } from './paths.ts';
import { NO_ROOT, glance, inParallel, scan } from './scan.ts';
import type { Scan, ScannedEntry } from './scan.ts';

/**
 * How long something must stay as it is before it is believed, when it looks half done: a file that is not whole JSON
 * (an editor may be writing it), or one that is gone (an editor may be about to put the new one in its place). A file
 * that is whole JSON is believed at once: the beginning of an object is never an object.
 */
export const SETTLE_MS = 100;
/** With a writer that never rests, a reading ends after this long, with what was last whole. */
const PATIENCE_MS = 400;
const MAX_BYTES = 256 * 1024 * 1024;

export interface TreeReading {
  readonly exists: boolean;
  readonly records: ReadonlyMap<string, StoreRecord>;
  /** False: something was still being written, and its last whole state stands in. Look again soon. */
  readonly settled: boolean;
  readonly scan: Scan;
}

/** A record with what we know of its file: one object, since there are ten thousand of them. */
interface Content extends StoreRecord {
  readonly fingerprint: string;
  readonly whole: boolean;
  /** Read so soon after its last change that its stamps prove nothing: read it again next time. */
  readonly fresh: boolean;
}

interface Pending {
  /** null: the path is gone. */
  readonly fingerprint: string | null;
  readonly since: number;
}

/** Reads a part of the tree again and again, keeping what has not changed. One reading at a time. */
export class TreeReader {
  readonly #prefix: string;
  readonly #index: CreationIndex;
  readonly #clock: Clock;
  readonly #log: Log;
  #contents = new Map<string, Content>();
  #pending = new Map<string, Pending>();
  #accepted: ReadonlyMap<string, StoreRecord> = new Map();
  readonly #complained = new Map<string, string>();

  constructor(prefix: string, index: CreationIndex, clock: Clock, log: Log) {
    this.#prefix = prefix;
    this.#index = index;
    this.#clock = clock;
    this.#log = log;
  }

  async read(root: string, signal?: AbortSignal): Promise<Result<TreeReading, CodedError>> {
    const start = this.#clock.monotonic();
    try {
      for (;;) {
        const reading = await this.#round(root, this.#clock.monotonic() - start > PATIENCE_MS);
        if (reading !== null) return ok(reading);
        if (signal?.aborted === true) {
          return err(new CodedError('STORE_CLOSED', 'the reading was given up', { transient: true }));
        }
        await new Promise<void>((resolve) => this.#clock.after(SETTLE_MS / 4, resolve));
      }
    } catch (error) {
      return err(fileError(error, root));
    }
  }

  /** One look at everything. Resolves to null when the picture is not yet to be trusted and `last` is not set. */
  async #round(root: string, last: boolean): Promise<TreeReading | null> {
    const real = await realpath(root).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (real === null) {
      this.#contents = new Map();
      return this.#judge(NOTHING, this.#contents, true, last);
    }
    const before = await scan(real, this.#prefix);
    const contents = new Map<string, Content>();
    let steady = true;
    let bytes = 0;
    await inParallel([...before.entries], async ([path, entry]) => {
      const content = await this.#content(real, path, entry);
      if (content === null) steady = false;
      // Its own path, not the equal one of this scan, of which nothing shall stay.
      else contents.set(content.path, content);
      bytes += content?.bytes.length ?? 0;
      if (bytes > MAX_BYTES) throw new CodedError('STORE_TOO_LARGE', `more than ${MAX_BYTES} bytes below ${root}`);
    });
    // Only a second look that finds the same makes one picture of many files: nothing moved past us meanwhile.
    const after = await glance(real, this.#prefix);
    if (after.digest !== before.digest) steady = false;
    this.#contents = contents;
    if (!steady && !last) return null;
    return this.#judge(before, contents, steady, last);
  }

  #judge(found: Scan, contents: ReadonlyMap<string, Content>, steady: boolean, last: boolean): TreeReading | null {
    const pending = new Map<string, Pending>();
    const records = new Map<string, StoreRecord>();
    let settled = steady;
    const hold = (path: string, fingerprint: string | null): boolean => {
      const known = this.#pending.get(path);
      const since = known?.fingerprint === fingerprint ? known.since : this.#clock.monotonic();
      pending.set(path, { fingerprint, since });
      return this.#clock.monotonic() - since < SETTLE_MS;
    };
    for (const path of found.entries.keys()) {
      const content = contents.get(path);
      const held = this.#accepted.get(path);
      if (content !== undefined && (content.whole || !hold(path, content.fingerprint))) records.set(path, content);
      else {
        settled = false;
        if (held !== undefined) records.set(path, held);
      }
    }
    for (const [path, record] of this.#accepted) {
      if (found.entries.has(path) || !hold(path, null)) continue;
      settled = false;
      records.set(path, record);
    }
    this.#pending = pending;
    if (!settled && !last) return null;
    // Settled, both say the same, and one such map is enough.
    this.#accepted = settled ? contents : records;
    // A root that seems gone while its records are still held is not believed to be gone either.
    return { exists: found.exists || records.size > 0, records: this.#accepted, settled, scan: found };
  }

  /** null: it changed under our eyes. */
  async #content(root: string, path: string, entry: ScannedEntry): Promise<Content | null> {
    const known = this.#contents.get(path);
    if (known?.fingerprint === entry.fingerprint && !known.fresh) return known;
    const build = (bytes: Uint8Array, whole: boolean, fresh: boolean): Content => ({
      path,
      bytes,
      created: this.#index.createdOf(path, entry.stats.birthtimeNs),
      modified: entry.kind === 'folder' ? entry.stats.birthtimeNs : entry.stats.ctimeNs,
      fingerprint: entry.fingerprint,
      whole,
      fresh,
    });
    switch (entry.kind) {
      case 'folder':
        return build(new Uint8Array(0), true, false);
      case 'odd':
        return build(this.#complain(path, entry.fingerprint, entry.why), true, false);
      case 'file':
        try {
          const fresh = isFresh(entry.stats, this.#clock.now());
          const reading = await readWhole(join(root, `${path}${RECORD_SUFFIX}`), entry.stats.fingerprint);
          if (reading.kind === 'changing') return null;
          // No record is an empty file: an editor has emptied it to write it anew, or somebody's disk was full.
          if (reading.bytes.length === 0) return build(marker('the file is empty'), false, fresh);
          return build(reading.bytes, isWholeJson(reading.bytes), fresh);
        } catch (error) {
          if (isMissing(error)) return null;
          if (isOurs(error)) throw error;
          const why = `it cannot be read: ${errnoOf(error) ?? String(error)}`;
          return build(this.#complain(path, entry.fingerprint, why), true, false);
        }
    }
  }

  #complain(path: string, fingerprint: string, why: string): Uint8Array {
    if (this.#complained.get(path) !== fingerprint) {
      this.#complained.set(path, fingerprint);
      this.#log.warn({ path, why }, 'a file of the store is no record');
    }
    return marker(why);
  }
}

const NOTHING: Scan = { exists: false, entries: new Map(), folders: [], digest: NO_ROOT, ignored: [] };

/**
 * Stands in for a record that is there but cannot be had. It must neither be left out, which would delete the record,
 * nor be empty, which would make it a folder: a JSON text that no record is becomes a problem that quotes it.
 */
function marker(why: string): Uint8Array {
  return Buffer.from(JSON.stringify(why));
}

function isWholeJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Whether an error tells of this process or machine rather than of the file. */
function isOurs(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === null || errno === 'EMFILE' || errno === 'ENFILE' || errno === 'ENOMEM';
}
