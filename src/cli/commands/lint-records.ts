import type { Finding } from '../../agent/policy/lint.ts';
import { lint } from '../../agent/policy/lint.ts';
import { EXIT_CODES } from '../../core/exit-codes.ts';
import { formatProblem } from '../../model/problem.ts';
import { withStore } from '../bootstrap-access.ts';
import { readConfig } from '../config-edit.ts';
import { countText } from '../count-text.ts';
import type { CliContext } from '../io.ts';
import type { RecordFolder } from '../record-folder.ts';
import { readRecordFolder } from '../record-folder.ts';
import { printable } from '../table.ts';

export interface LintOptions {
  readonly bootstrap: string;
  readonly agent?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
}

/**
 * `vipkeeper lint [DIR]`: everything that is wrong with records, wherever they are.
 * @returns the exit code
 */
export async function lintRecords(
  context: CliContext,
  folder: string | undefined,
  options: LintOptions,
): Promise<number> {
  const { records, strays } = await recordsToLint(context, folder, options);
  const { findings, agents, revision } = lint(records, context.deps.checks, options.agent ?? null);
  const all = [...strays.map(strayFinding), ...findings];
  const errors = all.filter(({ severity }) => severity === 'error').length;
  if (options.json === true) {
    context.io.out(`${JSON.stringify({ revision, agents, records: records.size, findings: all }, null, 2)}\n`);
  } else {
    context.io.out(all.map((finding) => `${printable(findingLine(finding))}\n`).join(''));
    const whose = agents.length === 0 ? 'no agent of their own' : countText(agents.length, 'agent');
    const verdict =
      all.length === 0 ? 'no problems' : `${countText(errors, 'error')}, ${all.length - errors} of advice`;
    context.io.out(`${countText(records.size, 'record')}, ${whose}: ${verdict}\n`);
  }
  const failed = options.strict === true ? all.length > 0 : errors > 0;
  return failed ? EXIT_CODES.invalid.code : EXIT_CODES.ok.code;
}

async function recordsToLint(
  context: CliContext,
  folder: string | undefined,
  { bootstrap }: LintOptions,
): Promise<RecordFolder> {
  if (folder !== undefined) return readRecordFolder(folder, context.deps.clock);
  const records = await withStore(context, bootstrap, (store) => readConfig(store));
  for (const [path, { bytes }] of records) if (bytes.length === 0) records.delete(path);
  return { records, strays: [] };
}

/** Whoever put it there may take it for a record. */
function strayFinding(file: string): Finding {
  const found = 'a file that is no record because of its name';
  return { path: file, field: '', found, allowed: 'NAME.json', effect: 'ignored', severity: 'advice', agents: null };
}

function findingLine(finding: Finding): string {
  const { severity, agents } = finding;
  const whose = agents === null ? '' : ` [${agents.join(', ')}]`;
  return `${severity}: ${formatProblem(finding)}${whose}`;
}
