import { parsePath } from '../../model/paths.ts';
import type { WriteLimits, WriteOp } from '../../sources/source.ts';
import { writeCost } from '../../sources/source.ts';

/**
 * What a record may refer to comes before it, so that no step leaves a reference to nothing; overrides of an agent come
 * before the reals that they are for.
 */
const ORDER = ['check', 'vip', 'agent', 'service', 'real'] as const;

/**
 * Operations in as few writes as the store takes, in an order in which every step is safe by itself: puts first, what
 * is referred to before what refers to it, then deletes the other way round. One write is all or nothing anyway.
 * @param ops on paths under config/, each named once
 */
export function writeBatches(ops: readonly WriteOp[], limits: WriteLimits): readonly (readonly WriteOp[])[] {
  const batches: WriteOp[][] = [];
  let batch: WriteOp[] = [];
  let bytes = 0;
  for (const op of [...ops].sort(bySafety)) {
    const cost = writeCost(op);
    if (batch.length > 0 && (batch.length === limits.operations || bytes + cost > limits.bytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(op);
    bytes += cost;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function bySafety(a: WriteOp, b: WriteOp): number {
  return stageOf(a) - stageOf(b) || (a.path < b.path ? -1 : 1);
}

function stageOf({ kind, path }: WriteOp): number {
  const stage = ORDER.findIndex((one) => one === parsePath(path).kind);
  // What is none of these can only be deleted: drains, and paths where no record may be.
  return kind === 'put' ? stage : 2 * ORDER.length - (stage < 0 ? ORDER.length : stage);
}
