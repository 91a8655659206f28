import type { IKeyValue } from 'etcd3';
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { StoreRecord } from '../source.ts';
import { isCompacted } from './errors.ts';
import { keyAfter } from './keys.ts';
import type { Keys } from './keys.ts';
import { BULK_TIMEOUT_MS } from './limits.ts';
import type { EtcdLink } from './link.ts';

/** Keys of one request. Ten thousand records of usual size are 3 MB; a fleet's tree needs one page or a few. */
const PAGE_KEYS = 20_000;
/** Bounds of what one reading takes into memory. */
const MAX_RECORDS = 500_000;
const MAX_BYTES = 256 * 1024 * 1024;
/** A reading that compaction overtakes is begun again this often. */
const ATTEMPTS = 3;

export interface Reading {
  readonly revision: bigint;
  readonly records: ReadonlyMap<string, StoreRecord>;
  /** Sum of all values. */
  readonly bytes: number;
}

/** The part of a connection that a reading needs. */
export type RangeLink = Pick<EtcdLink, 'range'>;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly pageKeys?: number;
}

/**
 * Everything below `path` as it was at one revision: the first page fixes the revision and the others ask for the
 * same. The reading is linearizable, so it is never older than what a member has told us before.
 */
export async function readBelow(
  link: RangeLink,
  keys: Keys,
  path: string,
  options: ReadOptions = {},
): Promise<Result<Reading, CodedError>> {
  for (let attempt = 1; ; attempt++) {
    const reading = await readOnce(link, keys, path, options);
    if (reading.ok || !isCompacted(reading.error) || attempt === ATTEMPTS) return reading;
  }
}

async function readOnce(
  link: RangeLink,
  keys: Keys,
  path: string,
  { signal, pageKeys = PAGE_KEYS }: ReadOptions,
): Promise<Result<Reading, CodedError>> {
  const range = keys.below(path);
  const records = new Map<string, StoreRecord>();
  let revision = '0';
  let bytes = 0;
  for (let from = range.key; ;) {
    const reply = await link.range({ ...range, key: from, limit: pageKeys, revision }, BULK_TIMEOUT_MS);
    if (!reply.ok) return reply;
    if (signal?.aborted === true)
      return err(new CodedError('STORE_CLOSED', 'the reading was given up', { transient: true }));
    if (revision === '0') revision = reply.value.header.revision;
    for (const kv of reply.value.kvs) {
      const record = toRecord(keys, kv);
      records.set(record.path, record);
      bytes += kv.value.length;
    }
    if (isTooMuch(records.size, bytes)) {
      const found = `${records.size} records, ${bytes} bytes`;
      return err(new CodedError('STORE_TOO_LARGE', `more below ${path}/ than we take (${found} so far)`));
    }
    const last = reply.value.kvs.at(-1);
    if (!reply.value.more || last === undefined) return ok({ revision: BigInt(revision), records, bytes });
    from = keyAfter(last.key);
  }
}

export function isTooMuch(records: number, bytes: number): boolean {
  return records > MAX_RECORDS || bytes > MAX_BYTES;
}

export function toRecord(keys: Keys, kv: IKeyValue): StoreRecord {
  return {
    path: keys.path(kv.key),
    // A copy: the reply's values are views of one large buffer, which a single kept record would keep whole.
    bytes: Buffer.from(kv.value),
    created: BigInt(kv.create_revision),
    modified: BigInt(kv.mod_revision),
  };
}
