import { CodedError } from '../../core/errors.ts';
import type { StoreRecord } from '../../sources/source.ts';
import { withStore } from '../bootstrap-access.ts';
import type { CliContext } from '../io.ts';
import { orFail } from '../io.ts';
import { recordPath } from '../record-paths.ts';
import { formatTable, printable } from '../table.ts';

export interface ReadOptions {
  readonly bootstrap: string;
  readonly json?: boolean;
}

/** `vipkeeper get PATH`: the record as it is in the store, byte for byte but for a line break at the end. */
export async function getRecord(context: CliContext, text: string, options: ReadOptions): Promise<void> {
  await withStore(context, options.bootstrap, async (store, { root }) => {
    const path = recordPath(text, root);
    const record = orFail(await store.get(path));
    if (record === null) throw new CodedError('STORE_NOT_FOUND', `there is no record at ${path}`);
    if (options.json === true) {
      context.io.out(`${JSON.stringify(jsonOf(record), null, 2)}\n`);
      return;
    }
    if (record.bytes.length === 0) {
      throw new CodedError('STORE_NOT_FOUND', `${path} is a folder; "vipkeeper ls ${path}" shows what is in it`);
    }
    const value = new TextDecoder().decode(record.bytes);
    context.io.out(value.endsWith('\n') ? value : `${value}\n`);
  });
}

export interface ListOptions extends ReadOptions {
  readonly recursive?: boolean;
  readonly long?: boolean;
}

/** `vipkeeper ls [PATH]`: one path a line; what has records below it ends in a slash. */
export async function listRecords(context: CliContext, text: string, options: ListOptions): Promise<void> {
  await withStore(context, options.bootstrap, async (store, { root }) => {
    const path = recordPath(text, root);
    const all = orFail(await store.list(path));
    if (all.length === 0) throw new CodedError('STORE_NOT_FOUND', `there is nothing at or below ${path}`);
    const entries = entriesOf(all, path, options.recursive === true);
    if (options.json === true) {
      const records = entries.flatMap(({ record }) => (record === undefined ? [] : [jsonOf(record)]));
      context.io.out(`${JSON.stringify(records, null, 2)}\n`);
    } else if (options.long === true) {
      context.io.out(longList(entries));
    } else {
      context.io.out(entries.map((entry) => `${printable(shownPath(entry))}\n`).join(''));
    }
  });
}

interface Entry {
  readonly path: string;
  /** Absent = a folder that is only known from what is in it. */
  readonly record: StoreRecord | undefined;
  /** How many records are below it. */
  readonly below: number;
}

/** The record itself, if it is one, and what is directly below it, or everything that is. */
function entriesOf(all: readonly StoreRecord[], path: string, recursive: boolean): readonly Entry[] {
  const records = new Map(all.map((record) => [record.path, record]));
  const below = new Map<string, number>();
  const depth = path.split('/').length;
  for (const record of all) {
    const parts = record.path.split('/');
    const count = record.bytes.length > 0 ? 1 : 0;
    for (let length = depth; length < parts.length; length++) {
      const parent = parts.slice(0, length).join('/');
      below.set(parent, (below.get(parent) ?? 0) + count);
    }
    below.set(record.path, below.get(record.path) ?? 0);
  }
  return [...below]
    .map(([entry, count]) => ({ path: entry, record: records.get(entry), below: count }))
    .filter((entry) => isShown(entry, path, recursive))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isShown({ path, record }: Entry, top: string, recursive: boolean): boolean {
  if (path === top) return record !== undefined && record.bytes.length > 0;
  return recursive || path.split('/').length === top.split('/').length + 1;
}

function shownPath({ path, record, below }: Entry): string {
  const isFolder = below > 0 || record === undefined || record.bytes.length === 0;
  return isFolder ? `${path}/` : path;
}

function longList(entries: readonly Entry[]): string {
  return formatTable<Entry>(
    [
      { title: 'PATH', value: shownPath },
      { title: 'BYTES', value: ({ record }) => record?.bytes.length ?? 0, align: 'right' },
      { title: 'BELOW', value: ({ below }) => below, align: 'right' },
      { title: 'CREATED', value: ({ record }) => record?.created.toString() ?? '', align: 'right' },
      { title: 'MODIFIED', value: ({ record }) => record?.modified.toString() ?? '', align: 'right' },
    ],
    entries,
  );
}

/** Revisions are 64-bit numbers, which JSON tools round: they are strings. */
function jsonOf({ path, bytes, created, modified }: StoreRecord): object {
  const revisions = { created: created.toString(), modified: modified.toString() };
  const text = new TextDecoder().decode(bytes);
  try {
    return { path, ...revisions, value: bytes.length === 0 ? null : (JSON.parse(text) as unknown) };
  } catch {
    return { path, ...revisions, text };
  }
}
