import { deleteOp, putOp } from '../../agent/record-writing.ts';
import { CodedError } from '../../core/errors.ts';
import { MAX_RECORD_BYTES } from '../../model/json.ts';
import { isFolder, withEdits } from '../../model/record-change.ts';
import type { StoreRecord } from '../../sources/source.ts';
import { withStore } from '../bootstrap-access.ts';
import { readConfig, refuseProblems } from '../config-edit.ts';
import { editProblems } from '../../agent/policy/edit-problems.ts';
import { readValueFile } from '../configuration-edit.ts';
import type { CliContext, CliIo } from '../io.ts';
import { CliFailure, orFail } from '../io.ts';
import { writablePath } from '../record-paths.ts';

const FORCE_HINT = '--no-validate writes it anyway';

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
      const after = withEdits(before, new Map([[path, bytes]]));
      refuseProblems(context, editProblems(before, after, context.deps.checks, agent), path, FORCE_HINT);
    }
    if (current !== undefined && Buffer.compare(current.bytes, bytes) === 0) {
      context.io.out(`${path}: unchanged\n`);
      return;
    }
    const outcome = current === undefined || isFolder(current) ? 'created' : 'changed';
    if (options.dryRun !== true) {
      orFail(await store.write([putOp(path, bytes, current)]));
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
      const after = withEdits(before, new Map(doomed.map((record) => [record.path, null])));
      refuseProblems(context, editProblems(before, after, context.deps.checks, agent), path, FORCE_HINT);
    }
    if (options.dryRun !== true) orFail(await store.write(doomed.sort(byDepth).map(deleteOp)));
    const suffix = options.dryRun === true ? ' (dry run: nothing was deleted)' : '';
    context.io.out(records.map((record) => `${record.path}: deleted${suffix}\n`).join(''));
  });
}

/** The deepest first: no store deletes a record with others below it. */
function byDepth(a: StoreRecord, b: StoreRecord): number {
  return b.path.split('/').length - a.path.split('/').length;
}

function checkExpected(path: string, current: StoreRecord | undefined, expected: bigint): void {
  const found = current?.modified ?? 0n;
  if (found === expected) return;
  const now = current === undefined ? 'there is no record now' : `its revision is ${found} now`;
  throw new CodedError('STORE_CONFLICT', `${path} is not at revision ${expected}: ${now}`);
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
  return readValueFile(value.slice(1));
}
