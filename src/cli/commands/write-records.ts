import { readFileSync, statSync } from 'node:fs';
import { CodedError, describeError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';
import { MAX_RECORD_BYTES } from '../../model/json.ts';
import type { Problem } from '../../model/problem.ts';
import type { RawRecord } from '../../model/record-set.ts';
import type { StoreClient, StoreRecord, WriteOp } from '../../sources/source.ts';
import { withStore } from '../bootstrap-access.ts';
import { editProblems } from '../edit-problems.ts';
import type { CliContext, CliIo } from '../io.ts';
import { CliFailure, orFail } from '../io.ts';
import { writablePath } from '../record-paths.ts';
import { printable } from '../table.ts';

interface WriteOptions {
  readonly bootstrap: string;
  /** False with --no-validate. */
  readonly validate: boolean;
  readonly dryRun?: boolean;
}

export interface SetOptions extends WriteOptions {
  /** The revision that the record must have, as `get --json` shows it; 0 = it must not exist. */
  readonly expect?: bigint;
}

/** `vipkeeper set PATH [VALUE]`: writes one record, if it and all others are right afterwards. */
export async function setRecord(
  context: CliContext,
  text: string,
  value: string | undefined,
  options: SetOptions,
): Promise<void> {
  const bytes = await readValue(context, value);
  await withStore(context, options.bootstrap, async (store, { root, agent }) => {
    const path = writablePath(text, root);
    if (bytes.length === 0) throw new CliFailure('invalid', `${path}: the value is empty; "vipkeeper rm" deletes`);
    const before = await readConfig(store);
    const current = before.get(path);
    if (options.expect !== undefined) checkExpected(path, current, options.expect);
    if (options.validate) {
      const after = new Map(before).set(path, edited(path, bytes, before));
      refuseProblems(context, editProblems(before, after, context.deps.checks, agent), path);
    }
    if (current !== undefined && Buffer.compare(current.bytes, bytes) === 0) {
      context.io.out(`${path}: unchanged\n`);
      return;
    }
    const outcome = current === undefined || isFolder(current) ? 'created' : 'changed';
    if (options.dryRun !== true) {
      orFail(await store.write([put(path, bytes, current)]));
    }
    context.io.out(`${path}: ${outcome}${options.dryRun === true ? ' (dry run: nothing was written)' : ''}\n`);
  });
}

export interface RemoveOptions extends WriteOptions {
  readonly recursive?: boolean;
}

/** `vipkeeper rm PATH`: deletes a record, if all others are right without it. */
export async function removeRecord(context: CliContext, text: string, options: RemoveOptions): Promise<void> {
  await withStore(context, options.bootstrap, async (store, { root, agent }) => {
    const path = writablePath(text, root);
    const before = await readConfig(store);
    const doomed = [...before.values()].filter((record) => record.path === path || record.path.startsWith(`${path}/`));
    const records = doomed.filter((record) => !isFolder(record));
    if (doomed.length === 0) throw new CodedError('STORE_NOT_FOUND', `there is nothing at ${path}`);
    const below = records.filter((record) => record.path !== path).length;
    if (below > 0 && options.recursive !== true) {
      throw new CliFailure('failure', `${path} has ${below} records below it; --recursive deletes them too`);
    }
    if (options.validate) {
      const after = new Map(before);
      for (const record of doomed) after.delete(record.path);
      refuseProblems(context, editProblems(before, after, context.deps.checks, agent), path);
    }
    if (options.dryRun !== true) orFail(await removeAll(store, doomed));
    const suffix = options.dryRun === true ? ' (dry run: nothing was deleted)' : '';
    context.io.out(records.map((record) => `${record.path}: deleted${suffix}\n`).join(''));
  });
}

/** Only if the record is as it was read; a folder has no revision that all stores agree on. */
function put(path: string, bytes: Uint8Array, current: StoreRecord | undefined): WriteOp {
  if (current === undefined) return { kind: 'put', path, bytes, expected: null };
  return isFolder(current) ? { kind: 'put', path, bytes } : { kind: 'put', path, bytes, expected: current.modified };
}

function isFolder({ bytes }: StoreRecord): boolean {
  return bytes.length === 0;
}

/** The deepest first: no store deletes a record with others below it. */
function removeAll(store: StoreClient, doomed: readonly StoreRecord[]): Promise<Result<void, CodedError>> {
  const ordered = [...doomed].sort((a, b) => b.path.split('/').length - a.path.split('/').length);
  return store.write(
    ordered.map((record): WriteOp => {
      const { path, modified } = record;
      return isFolder(record) ? { kind: 'delete', path } : { kind: 'delete', path, expected: modified };
    }),
  );
}

/** Everything under config/; a store without a root is one that nobody has written to yet. */
async function readConfig(store: StoreClient): Promise<Map<string, StoreRecord>> {
  const listed = await store.list('config');
  if (!listed.ok && listed.error.code === 'STORE_NOT_FOUND') return new Map();
  return new Map(orFail(listed).map((record) => [record.path, record]));
}

function checkExpected(path: string, current: StoreRecord | undefined, expected: bigint): void {
  const found = current?.modified ?? 0n;
  if (found === expected) return;
  const now = current === undefined ? 'there is no record now' : `its revision is ${found} now`;
  throw new CodedError('STORE_CONFLICT', `${path} is not at revision ${expected}: ${now}`);
}

/** The record as the store would hold it: newer than everything else. */
function edited(path: string, bytes: Uint8Array, before: ReadonlyMap<string, RawRecord>): RawRecord {
  let newest = 0n;
  for (const { modified } of before.values()) if (modified > newest) newest = modified;
  return { path, bytes, created: before.get(path)?.created ?? newest + 1n, modified: newest + 1n };
}

/** Advice does not hold an edit back; everything else does. */
function refuseProblems({ io }: CliContext, problems: readonly Problem[], path: string): void {
  const advice = problems.filter(({ effect }) => effect === 'in force');
  const faults = problems.filter(({ effect }) => effect !== 'in force');
  for (const problem of faults) io.err(`${problemLine(problem)}\n`);
  for (const problem of advice) io.err(`advice: ${problemLine(problem)}\n`);
  if (faults.length === 0) return;
  const count = faults.length === 1 ? 'a problem' : `${faults.length} problems`;
  throw new CliFailure(
    'invalid',
    `${path} was left as it is: the edit makes ${count} (--no-validate writes it anyway)`,
  );
}

/** Without the effect, since nothing has been written yet that could have one. */
function problemLine({ path, field, found, allowed }: Problem): string {
  return printable(`${path}: ${field === '' ? '' : `${field}: `}found ${found}, allowed ${allowed}`);
}

/**
 * VALUE is the JSON itself, "@FILE", or "-" (the default when something is piped in) for standard input.
 * What is too large is not read to its end.
 */
async function readValue({ io }: CliContext, value: string | undefined): Promise<Uint8Array> {
  if (value === undefined && io.interactive) {
    throw new CliFailure('usage', 'no VALUE: give JSON, @FILE, or - for standard input');
  }
  const bytes = await bytesOf(io, value);
  if (bytes.length <= MAX_RECORD_BYTES) return bytes;
  throw new CliFailure('invalid', `the value is larger than a record can be: at most ${MAX_RECORD_BYTES} bytes`);
}

async function bytesOf(io: CliIo, value: string | undefined): Promise<Uint8Array> {
  if (value === undefined || value === '-') return io.readInput(MAX_RECORD_BYTES);
  if (!value.startsWith('@')) return Buffer.from(value, 'utf8');
  const path = value.slice(1);
  try {
    return statSync(path).size > MAX_RECORD_BYTES ? new Uint8Array(MAX_RECORD_BYTES + 1) : readFileSync(path);
  } catch (error) {
    throw new CliFailure('failure', describeError(error));
  }
}
