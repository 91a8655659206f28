import type { Result } from '../core/result.ts';
import type { FieldProblem } from './validate.ts';

/**
 * A check as its type normalised it: every default filled in, durations in milliseconds. Plain data, so that it can
 * be hashed, kept on disk and sent to a worker.
 */
export interface CheckDefinition {
  readonly type: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly [field: string]: unknown;
}

/** What the model must know of the check types, which it does not import: their names, and how to read a record. */
export interface CheckCatalog {
  readonly types: readonly string[];
  /** @param record a JSON object with its `type` and `_meta` */
  decode(record: Record<string, unknown>): Result<CheckDefinition, readonly FieldProblem[]>;
}
