import { deleteOp, putOp } from '../../agent/record-writing.ts';
import { editProblems } from '../../agent/policy/edit-problems.ts';
import { writeBatches } from '../../agent/policy/write-batches.ts';
import { CodedError, describeError } from '../../core/errors.ts';
import type { RecordChange } from '../../model/record-change.ts';
import { revisionOf } from '../../model/revision.ts';
import type { StoreClient, WriteOp } from '../../sources/source.ts';
import { previewFor, previewTarget } from '../agent-preview.ts';
import { withStore } from '../bootstrap-access.ts';
import { changePage, changeSummary, shortList } from '../change-page.ts';
import { readConfig, refuseProblems } from '../config-edit.ts';
import type { ConfigurationEdit } from '../configuration-edit.ts';
import { editFromFolder } from '../configuration-edit.ts';
import { countText } from '../count-text.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';
import { previewPage } from '../preview-page.ts';

export interface ApplyOptions {
  readonly bootstrap: string;
  readonly prune?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly expect?: string;
}

/** `vipkeeper apply DIR`: makes the store as the directory is, if nobody else has edited it meanwhile. */
export async function applyConfiguration(context: CliContext, folder: string, options: ApplyOptions): Promise<void> {
  const { io, deps } = context;
  await withStore(context, options.bootstrap, async (store, bootstrap) => {
    const before = await readConfig(store);
    checkExpected(revisionOf(before.values()), options.expect);
    const edit = await editFromFolder(before, folder, { prune: options.prune === true }, deps.clock);
    io.out(changePage(edit));
    if (edit.changes.length === 0) {
      io.out('nothing to write: the store says the same\n');
      return;
    }
    const problems = editProblems(before, edit.after, deps.checks, bootstrap.agent);
    refuseProblems(context, problems, 'the store', '');
    io.out(previewPage(await previewFor(context, bootstrap, previewTarget(bootstrap, {}), edit)));
    const batches = writeBatches(opsOf(edit), store.limits);
    const yes = options.yes === true;
    if (batches.length > 1 && !yes) throw tooMuchAtOnce(edit.changes.length, `${batches.length} transactions`);
    if (options.dryRun === true) {
      io.out(`${changeSummary(edit.changes)} (dry run: nothing was written)\n`);
      return;
    }
    await writeAll(store, batches, yes);
    io.out(`${changeSummary(edit.changes)}: the store is at ${revisionOf(edit.after.values())}\n`);
  });
}

function checkExpected(found: string, expected: string | undefined): void {
  if (expected === undefined || expected === found) return;
  throw new CodedError('STORE_CONFLICT', `the store is not at ${expected}: somebody has edited it since, to ${found}`);
}

function opsOf({ before, changes }: ConfigurationEdit): readonly WriteOp[] {
  return changes.flatMap((change: RecordChange): WriteOp[] => {
    const current = before.get(change.path);
    if (change.kind !== 'delete') return [putOp(change.path, change.after.bytes, current)];
    return current === undefined ? [] : [deleteOp(current)];
  });
}

/** What cannot be all or nothing is not begun unasked. */
function tooMuchAtOnce(changes: number, transactions: string): CliFailure {
  return new CliFailure(
    'failure',
    `${countText(changes, 'change')} do not fit one transaction of this store; nothing was written. --yes writes them ` +
      `in ${transactions}: checks, VIPs and agents, services, reals, then what is deleted; each is safe by itself, but ` +
      'an edit of somebody else may stop it halfway',
  );
}

/** Without `yes` all or nothing. */
async function writeAll(store: StoreClient, batches: readonly (readonly WriteOp[])[], yes: boolean): Promise<void> {
  const done: string[] = [];
  const queue = [...batches];
  for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
    const written = await store.write(batch);
    if (written.ok) {
      done.push(...batch.map(({ path }) => path));
      continue;
    }
    // Servers may take less than they do by default, and write nothing of what is too large: halves may fit.
    if (written.error.code === 'STORE_TOO_LARGE' && batch.length > 1) {
      if (!yes) throw tooMuchAtOnce(batch.length, 'several transactions');
      const middle = Math.ceil(batch.length / 2);
      queue.unshift(batch.slice(0, middle), batch.slice(middle));
      continue;
    }
    const rest = [batch, ...queue].flat();
    throw new CodedError(written.error.code, stopText(written.error, done, rest, store.limits.atomic));
  }
}

/** Exactly how far it came. */
function stopText(error: CodedError, done: readonly string[], rest: readonly WriteOp[], atomic: boolean): string {
  // A lost answer leaves open whether the write was carried out; doing it again does no harm.
  const refused = error.code === 'STORE_CONFLICT' || error.code === 'STORE_NOT_FOUND';
  const open = error.code === 'STORE_DISCONNECTED' || (!atomic && !refused);
  const fate = open ? 'written or not, which "vipkeeper apply" again finds out' : 'not written';
  const paths = rest.map(({ path }) => path);
  const before = done.length === 0 ? '' : `; written before: ${shortList(done)}`;
  return `${describeError(error).replace(`${error.code}: `, '')}; ${fate}: ${shortList(paths)}${before}`;
}
