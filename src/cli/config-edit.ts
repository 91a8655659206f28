import type { Problem } from '../model/problem.ts';
import { isFolder } from '../model/record-change.ts';
import type { StoreClient, StoreRecord, WriteOp } from '../sources/source.ts';
import { countText } from './count-text.ts';
import type { CliContext } from './io.ts';
import { CliFailure, orFail } from './io.ts';
import { printable } from './table.ts';

/** Everything under config/; a store without a root is one that nobody has written to yet. */
export async function readConfig(store: StoreClient): Promise<Map<string, StoreRecord>> {
  const listed = await store.list('config');
  if (!listed.ok && listed.error.code === 'STORE_NOT_FOUND') return new Map();
  return new Map(orFail(listed).map((record) => [record.path, record]));
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

/**
 * Advice does not hold an edit back; everything else does.
 * @param what that would then be as it was: "config/vips/web", "the store"
 * @param hint how to have it written all the same; '' = there is no way
 */
export function refuseProblems({ io }: CliContext, problems: readonly Problem[], what: string, hint: string): void {
  const advice = problems.filter(({ effect }) => effect === 'in force');
  const faults = problems.filter(({ effect }) => effect !== 'in force');
  for (const problem of faults) io.err(`${problemLine(problem)}\n`);
  for (const problem of advice) io.err(`advice: ${problemLine(problem)}\n`);
  if (faults.length === 0) return;
  const count = faults.length === 1 ? 'a problem' : countText(faults.length, 'problem');
  throw new CliFailure(
    'invalid',
    `${what} was left as it is: the edit makes ${count}${hint === '' ? '' : ` (${hint})`}`,
  );
}

/** Without the effect, since nothing has been written yet that could have one. */
export function problemLine({ path, field, found, allowed }: Problem): string {
  return printable(`${path}: ${field === '' ? '' : `${field}: `}found ${found}, allowed ${allowed}`);
}
