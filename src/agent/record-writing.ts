import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { ok } from '../core/result.ts';
import { isFolder } from '../model/record-change.ts';
import type { StoreClient, StoreRecord, WriteOp } from '../sources/source.ts';

/* How an operator's edit becomes a write: shared by the command line and the API. */

/** Everything under config/; a store without a root is one that nobody has written to yet. */
export async function readConfiguration(store: StoreClient): Promise<Result<Map<string, StoreRecord>, CodedError>> {
  const listed = await store.list('config');
  if (listed.ok) return ok(new Map(listed.value.map((record) => [record.path, record])));
  return listed.error.code === 'STORE_NOT_FOUND' ? ok(new Map()) : listed;
}

/** Only if the record is as it was read; a folder has no revision that all stores agree on. */
export function putOp(path: string, bytes: Uint8Array, current: StoreRecord | undefined): WriteOp {
  if (current === undefined) return { kind: 'put', path, bytes, expected: null };
  return isFolder(current) ? { kind: 'put', path, bytes } : { kind: 'put', path, bytes, expected: current.modified };
}

export function deleteOp(record: StoreRecord): WriteOp {
  const { path, modified } = record;
  return isFolder(record) ? { kind: 'delete', path } : { kind: 'delete', path, expected: modified };
}
