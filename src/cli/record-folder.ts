import { lstat, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { silentLog } from '../core/ports.ts';
import type { Clock } from '../core/ports.ts';
import { isFolder } from '../model/record-change.ts';
import type { RawRecord } from '../model/record-set.ts';
import { CreationIndex } from '../sources/directory/creation-index.ts';
import { isMissing } from '../sources/directory/errors.ts';
import { CREATION_INDEX, RECORD_SUFFIX, locate } from '../sources/directory/paths.ts';
import { TreeReader } from '../sources/directory/tree-reader.ts';
import { CliFailure, orFail } from './io.ts';

/** A configuration as files, laid out as the directory store does: FOLDER/config/vips/web.json. */
export interface RecordFolder {
  readonly records: ReadonlyMap<string, RawRecord>;
  /** Files below config/ that are no records, because of their names. */
  readonly strays: readonly string[];
}

/** Reads a whole folder. Files have no age that means anything, so all records are equally old. */
export async function readRecordFolder(folder: string, clock: Clock): Promise<RecordFolder> {
  const reader = new TreeReader('config', new CreationIndex(join(folder, CREATION_INDEX)), clock, silentLog);
  const reading = orFail(await reader.read(folder));
  if (!reading.exists) {
    throw new CliFailure('failure', `${folder} has no folder "config": is it what "vipkeeper export" has written?`);
  }
  const records = new Map<string, RawRecord>();
  for (const { path, bytes } of reading.records.values()) {
    if (!isFolder({ bytes })) records.set(path, { path, bytes, created: 0n, modified: 0n });
  }
  return { records, strays: reading.scan.ignored };
}

const MAX_NAMED = 10;

/**
 * Writes records as files; each top ('config', 'state') is there as a whole or as it was.
 * @param force replace a top that holds files which are not ours, or have been edited; else such a one is refused
 */
export async function writeRecordFolder(
  folder: string,
  tops: ReadonlyMap<string, readonly RawRecord[]>,
  { force }: { readonly force: boolean },
): Promise<void> {
  for (const record of [...tops.values()].flat()) orFail(locate(folder, record.path));
  const foreign = force ? [] : await foreignFiles(folder, tops);
  if (foreign.length > 0) {
    const named = foreign.slice(0, MAX_NAMED).join(', ');
    const more = foreign.length > MAX_NAMED ? ` and ${foreign.length - MAX_NAMED} more` : '';
    throw new CliFailure('failure', `${folder} was left as it is: --force would replace or remove ${named}${more}`);
  }
  await mkdir(folder, { recursive: true });
  const workshop = await mkdtemp(join(folder, '.export-'));
  try {
    for (const [top, records] of tops) {
      await mkdir(join(workshop, 'new', top), { recursive: true });
      for (const { path, bytes } of records) {
        const file = join(workshop, 'new', fileOf(path));
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, bytes);
      }
    }
    for (const top of tops.keys()) await exchange(join(workshop, 'new', top), join(folder, top), join(workshop, 'old'));
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

function fileOf(path: string): string {
  return `${path}${RECORD_SUFFIX}`;
}

/** What lies where we want to write and would not be the same afterwards. */
async function foreignFiles(folder: string, tops: ReadonlyMap<string, readonly RawRecord[]>): Promise<string[]> {
  const foreign: string[] = [];
  for (const [top, records] of tops) {
    const ours = new Map(records.map(({ path, bytes }) => [fileOf(path), bytes]));
    const there = await readdir(join(folder, top), { recursive: true }).catch(nothingThere);
    for (const name of there) {
      const relative = join(top, name);
      const file = join(folder, relative);
      const stats = await lstat(file);
      if (stats.isDirectory()) continue;
      const bytes = ours.get(relative);
      const same = stats.isFile() && bytes !== undefined && Buffer.compare(await readFile(file), bytes) === 0;
      if (!same) foreign.push(relative);
    }
  }
  return foreign.sort();
}

function nothingThere(error: unknown): string[] {
  if (isMissing(error)) return [];
  throw error;
}

/**
 * Two renames: whoever reads finds the old tree, for a moment none, then the new, never a mixture. An agent takes none
 * for a store that is not there yet, and waits. One exchange (renameat2(2), RENAME_EXCHANGE) is nothing that Node.js
 * offers, and not every file system; the command line would need native code for it.
 */
async function exchange(fresh: string, place: string, aside: string): Promise<void> {
  const had = await moveAside(place, aside);
  try {
    await rename(fresh, place);
  } catch (error) {
    if (had) await rename(aside, place);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** @returns whether there was anything */
async function moveAside(place: string, aside: string): Promise<boolean> {
  try {
    await rename(place, aside);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
