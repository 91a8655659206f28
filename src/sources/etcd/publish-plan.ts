/** One record to be written or taken away, under the condition that its lease is what we believe. */
export interface PublishOp {
  readonly path: string;
  /** null = delete. */
  readonly bytes: Uint8Array | null;
  /** The lease that the key must have for the operation to be carried out; null: there must be no such key. */
  readonly expectedLease: string | null;
}

/** What carries our lease: path → bytes, or null when the last write's outcome is not known. */
export type Held = ReadonlyMap<string, Uint8Array | null>;

/** etcd takes 128 operations a transaction (--max-txn-ops) and 1.5 MiB a request (--max-request-bytes). */
export const BATCH_OPS = 100;
const BATCH_BYTES = 1024 * 1024;
/** What a key, a compare and the framing add to a record's bytes, generously. */
const OP_OVERHEAD_BYTES = 512;

export const MAX_RECORD_BYTES = BATCH_BYTES;

/** What differs between what we hold and what is wanted. */
export function planOps(wanted: ReadonlyMap<string, Uint8Array>, held: Held, ourLease: string): PublishOp[] {
  const ops: PublishOp[] = [];
  for (const [path, bytes] of wanted) {
    const ours = held.get(path);
    if (ours !== undefined && ours !== null && Buffer.compare(ours, bytes) === 0) continue;
    ops.push({ path, bytes, expectedLease: held.has(path) ? ourLease : null });
  }
  for (const path of held.keys()) if (!wanted.has(path)) ops.push({ path, bytes: null, expectedLease: ourLease });
  return ops;
}

export function batches(ops: readonly PublishOp[]): PublishOp[][] {
  const result: PublishOp[][] = [];
  let batch: PublishOp[] = [];
  let size = 0;
  for (const op of ops) {
    const cost = OP_OVERHEAD_BYTES + (op.bytes?.length ?? 0);
    if (batch.length > 0 && (batch.length === BATCH_OPS || size + cost > BATCH_BYTES)) {
      result.push(batch);
      batch = [];
      size = 0;
    }
    batch.push(op);
    size += cost;
  }
  if (batch.length > 0) result.push(batch);
  return result;
}

/**
 * What to do with an operation whose key was found under another lease than expected.
 * @param found the lease the key has now, '0' for a key without one, null for no key
 */
export function judge(
  op: PublishOp,
  found: string | null,
  ourLease: string,
  isAdopted: (lease: string) => boolean,
): { readonly kind: 'retry'; readonly op: PublishOp } | { readonly kind: 'done' | 'refused' } {
  // Somebody else's record, or none, is not ours to delete.
  if (op.bytes === null) return found === ourLease ? { kind: 'retry', op } : { kind: 'done' };
  if (found === null || found === ourLease || isAdopted(found)) {
    return { kind: 'retry', op: { ...op, expectedLease: found } };
  }
  return { kind: 'refused' };
}
