import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import type { FieldProblem } from '../model/validate.ts';

/** A record was written, deleted, or is as it was. */
export interface DeskReceipt {
  readonly path: string;
  readonly outcome: 'created' | 'changed' | 'unchanged' | 'deleted';
  /** Of the record now, for `If-Match`; null = it is gone. */
  readonly revision: bigint | null;
}

export type DeskRefusal =
  /** Problems that the edit would make, also of other records. */
  | { readonly kind: 'invalid'; readonly problems: readonly (FieldProblem & { readonly path: string })[] }
  | { readonly kind: 'notFound'; readonly message: string }
  | { readonly kind: 'conflict'; readonly message: string }
  | { readonly kind: 'store'; readonly error: CodedError };

export type DeskAnswer = Promise<Result<DeskReceipt, DeskRefusal>>;

/** `expected`: the `modified` revision that the record must have; null = it must not exist; undefined = any. */
export type Expected = bigint | null | undefined;

export interface DrainRequest {
  readonly target: string;
  readonly by: string;
  readonly why: string;
  readonly until: string | null;
  readonly keep: boolean;
}

/** The API's port to writing: everything is validated together with all other records, as the command line does. */
export interface OperatorDesk {
  /** "user:password" that a request must show; read anew each time, so that a changed secret is used at once. */
  credentials(): Result<string, CodedError>;
  put(path: string, bytes: Uint8Array, expected: Expected): DeskAnswer;
  remove(path: string, expected: Expected): DeskAnswer;
  drain(request: DrainRequest): DeskAnswer;
  approve(revision: string, approval: { readonly by: string; readonly why: string }): DeskAnswer;
}
