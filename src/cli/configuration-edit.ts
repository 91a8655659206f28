import { readFileSync, statSync } from 'node:fs';
import { describeError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { MAX_RECORD_BYTES } from '../model/json.ts';
import type { RecordChange } from '../model/record-change.ts';
import { isFolder, recordChanges, withEdits } from '../model/record-change.ts';
import type { RawRecord } from '../model/record-set.ts';
import type { StoreRecord } from '../sources/source.ts';
import { CliFailure } from './io.ts';
import { readRecordFolder } from './record-folder.ts';
import { writablePath } from './record-paths.ts';

/** A change of the configuration that nobody has made yet. */
export interface ConfigurationEdit {
  readonly before: ReadonlyMap<string, StoreRecord>;
  /** As the store would hold it. */
  readonly after: ReadonlyMap<string, RawRecord>;
  readonly changes: readonly RecordChange[];
  /** In the store, not in the directory, and left alone. */
  readonly kept: readonly string[];
  /** In the directory, but not to be applied: drains and approvals. */
  readonly passedOver: readonly string[];
}

type Before = ReadonlyMap<string, StoreRecord>;

export function noEdit(before: Before): ConfigurationEdit {
  return { before, after: before, changes: [], kept: [], passedOver: [] };
}

/**
 * What it takes to make the store as the directory is. Drains and approvals are left out of it on both sides: they are
 * wishes of a moment and no configuration, and an old export must neither end a drain nor approve anything.
 * @param prune also delete what the directory does not have
 */
export async function editFromFolder(
  before: Before,
  folder: string,
  { prune }: { readonly prune: boolean },
  clock: Clock,
): Promise<ConfigurationEdit> {
  const { records, strays } = await readRecordFolder(folder, clock);
  const wanted = new Map([...records].filter(([path]) => !isWish(path)));
  if (prune && wanted.size === 0) {
    throw new CliFailure('failure', `${folder} has not one record: --prune would delete the whole configuration`);
  }
  const current = new Map([...before].filter(([path]) => !isWish(path)));
  const changes = recordChanges(current, wanted);
  const passedOver = [...records.keys()].filter(isWish).sort();
  const deleted = changes.filter(({ kind }) => kind === 'delete').map(({ path }) => path);
  if (prune) {
    refuseMisnamed(deleted, strays);
    return editOf(before, changes, [], passedOver);
  }
  return editOf(
    before,
    changes.filter(({ kind }) => kind !== 'delete'),
    deleted,
    passedOver,
  );
}

/** A record's file under a name with another ending is a slip, and no wish to delete the record. */
function refuseMisnamed(deleted: readonly string[], strays: readonly string[]): void {
  for (const path of deleted) {
    const stray = strays.find((file) => file === path || file.startsWith(`${path}.`));
    if (stray === undefined) continue;
    const why = `${stray} is no record because of its name`;
    throw new CliFailure('failure', `--prune would delete ${path}, but ${why}: rename the file, or remove it`);
  }
}

function isWish(path: string): boolean {
  return path.startsWith('config/drains/') || path.startsWith('config/approvals/');
}

/**
 * Single edits from the command line.
 * @param sets "PATH=JSON" or "PATH=@FILE"
 * @param removals paths; with each goes everything below it
 */
export function editFromOptions(
  before: Before,
  sets: readonly string[],
  removals: readonly string[],
  root: string,
): ConfigurationEdit {
  const values = new Map<string, Uint8Array | null>();
  for (const text of removals) {
    const path = writablePath(text, root);
    const doomed = [...before.values()].filter((record) => record.path === path || record.path.startsWith(`${path}/`));
    if (!doomed.some((record) => !isFolder(record))) throw new CliFailure('failure', `there is no record at ${path}`);
    for (const record of doomed) values.set(record.path, null);
  }
  for (const text of sets) {
    const at = text.indexOf('=');
    if (at < 0) throw new CliFailure('usage', `--set ${text}: write it as PATH=JSON or PATH=@FILE`);
    values.set(writablePath(text.slice(0, at), root), valueOf(text.slice(at + 1)));
  }
  const after = withEdits(before, values);
  return { ...noEdit(before), after, changes: recordChanges(before, after) };
}

function valueOf(text: string): Uint8Array {
  if (!text.startsWith('@')) return Buffer.from(text, 'utf8');
  return readValueFile(text.slice(1));
}

/** A value from a file; of what is too large for a record only so much that it is seen to be. */
export function readValueFile(path: string): Uint8Array {
  try {
    return statSync(path).size > MAX_RECORD_BYTES ? new Uint8Array(MAX_RECORD_BYTES + 1) : readFileSync(path);
  } catch (error) {
    throw new CliFailure('failure', describeError(error));
  }
}

function editOf(
  before: Before,
  changes: readonly RecordChange[],
  kept: readonly string[],
  passedOver: readonly string[],
): ConfigurationEdit {
  const values = new Map(changes.map((change) => [change.path, change.kind === 'delete' ? null : change.after.bytes]));
  return { before, after: withEdits(before, values), changes, kept, passedOver };
}
