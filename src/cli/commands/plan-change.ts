import type { LoadedBootstrap } from '../../agent/bootstrap-file.ts';
import { isNoEffect } from '../../agent/policy/effect.ts';
import { editProblems } from '../../agent/policy/edit-problems.ts';
import { EXIT_CODES } from '../../core/exit-codes.ts';
import { revisionOf } from '../../model/revision.ts';
import type { StoreClient } from '../../sources/source.ts';
import type { ApiOptions } from '../agent-endpoint.ts';
import { previewFor, previewTarget } from '../agent-preview.ts';
import { withStore } from '../bootstrap-access.ts';
import { changePage, changeSummary } from '../change-page.ts';
import { readConfig, refuseProblems } from '../config-edit.ts';
import type { ConfigurationEdit } from '../configuration-edit.ts';
import { editFromFolder, editFromOptions, noEdit } from '../configuration-edit.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';
import type { AgentPreview } from '../preview-page.ts';
import { previewPage } from '../preview-page.ts';

export interface PlanOptions extends ApiOptions {
  readonly bootstrap: string;
  readonly set?: readonly string[];
  readonly rm?: readonly string[];
  readonly prune?: boolean;
  readonly agent?: string;
  readonly json?: boolean;
}

/**
 * `vipkeeper plan [DIR]`: what an edit would do to an agent; without one, what it has not taken over yet.
 * @returns the exit code
 */
export async function planChange(
  context: CliContext,
  folder: string | undefined,
  options: PlanOptions,
): Promise<number> {
  return withStore(context, options.bootstrap, async (store, bootstrap) => {
    const edit = await editOf(context, store, bootstrap, folder, options);
    const problems = editProblems(edit.before, edit.after, context.deps.checks, bootstrap.agent);
    refuseProblems(context, problems, 'nothing was planned, and the store', '');
    const preview = await previewFor(context, bootstrap, previewTarget(bootstrap, options), edit);
    const summary = `${changeSummary(edit.changes)}: ${revisionOf(edit.before.values())} → ${preview.revision}`;
    if (options.json === true) context.io.out(`${JSON.stringify(jsonOf(edit, preview), null, 2)}\n`);
    else context.io.out(`${changePage(edit)}${summary}\n${previewPage(preview)}`);
    const quiet = edit.changes.length === 0 && preview.hold === null && isNoEffect(preview.effect);
    return quiet ? EXIT_CODES.ok.code : EXIT_CODES.changes.code;
  });
}

async function editOf(
  { deps }: CliContext,
  store: StoreClient,
  { root }: LoadedBootstrap,
  folder: string | undefined,
  { set = [], rm = [], prune = false }: PlanOptions,
): Promise<ConfigurationEdit> {
  const single = set.length + rm.length > 0;
  if (single && folder !== undefined) throw new CliFailure('usage', 'either DIR, or --set and --rm: not both');
  if (prune && folder === undefined) throw new CliFailure('usage', '--prune compares with DIR, and there is none');
  const before = await readConfig(store);
  if (folder !== undefined) return editFromFolder(before, folder, { prune }, deps.clock);
  return single ? editFromOptions(before, set, rm, root) : noEdit(before);
}

export function jsonOf({ before, changes, kept, passedOver }: ConfigurationEdit, preview: AgentPreview): object {
  const { agent, comparedWith, revision, effect, hold, ifApproved, affected, connectionsUnknown, problems } = preview;
  return {
    before: revisionOf(before.values()),
    after: revision,
    changes: changes.map((change) => {
      const { kind, path } = change;
      return change.kind === 'edit' ? { kind, path, fields: change.fields } : { kind, path };
    }),
    kept,
    passedOver,
    agent: { name: agent, comparedWith, problems, effect, hold, ifApproved, affected, connectionsUnknown },
  };
}
