import type { FieldDifference } from './json-difference.ts';
import { jsonDifferences } from './json-difference.ts';
import { parseRecordJson } from './json.ts';
import type { RawRecord } from './record-set.ts';

/** What becomes of one record. */
export type RecordChange =
  | { readonly kind: 'add'; readonly path: string; readonly after: RawRecord }
  | {
      readonly kind: 'edit';
      readonly path: string;
      readonly before: RawRecord;
      readonly after: RawRecord;
      /** null = one of the two is not JSON, so there are no fields to tell apart. */
      readonly fields: readonly FieldDifference[] | null;
    }
  | { readonly kind: 'delete'; readonly path: string; readonly before: RawRecord };

type Records = ReadonlyMap<string, RawRecord>;

/**
 * The difference between two sets of records, by path. Folders (empty values) are none, and a record that says the
 * same in another layout has not changed.
 */
export function recordChanges(before: Records, after: Records): readonly RecordChange[] {
  const changes: RecordChange[] = [];
  for (const [path, record] of after) {
    if (isFolder(record)) continue;
    const old = before.get(path);
    const change = old === undefined || isFolder(old) ? added(path, record) : edited(path, old, record);
    if (change !== null) changes.push(change);
  }
  for (const [path, record] of before) {
    const now = after.get(path);
    if (!isFolder(record) && (now === undefined || isFolder(now)))
      changes.push({ kind: 'delete', path, before: record });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function isFolder({ bytes }: Pick<RawRecord, 'bytes'>): boolean {
  return bytes.length === 0;
}

function added(path: string, after: RawRecord): RecordChange {
  return { kind: 'add', path, after };
}

function edited(path: string, before: RawRecord, after: RawRecord): RecordChange | null {
  if (before === after || Buffer.compare(before.bytes, after.bytes) === 0) return null;
  const [was, is] = [parseRecordJson(before.bytes), parseRecordJson(after.bytes)];
  if (!was.ok || !is.ok) return { kind: 'edit', path, before, after, fields: null };
  const fields = jsonDifferences(was.value, is.value);
  return fields.length === 0 ? null : { kind: 'edit', path, before, after, fields };
}

/**
 * Records as the store would hold them after a write: newer than everything else there, each with the age of the one
 * that it replaces.
 * @param values by path; null = deleted
 */
export function withEdits(before: Records, values: ReadonlyMap<string, Uint8Array | null>): Map<string, RawRecord> {
  let newest = 0n;
  for (const { modified } of before.values()) if (modified > newest) newest = modified;
  const after = new Map(before);
  const revision = newest + 1n;
  for (const [path, bytes] of values) {
    if (bytes === null) after.delete(path);
    else after.set(path, { path, bytes, created: before.get(path)?.created ?? revision, modified: revision });
  }
  return after;
}
