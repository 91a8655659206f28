import type { Command } from 'commander';
import type { ExportOptions } from './commands/export-records.ts';
import { exportRecords } from './commands/export-records.ts';
import type { LintOptions } from './commands/lint-records.ts';
import { lintRecords } from './commands/lint-records.ts';
import * as help from './help-texts.ts';
import type { CliContext } from './io.ts';
import { bootstrapOption } from './options.ts';

const FOLDER = 'directory with the records as files: DIR/config/vips/web.json';

/** Commands about configurations as a whole: out of the store, judged, compared, and back into it. */
export function addConfigurationCommands(
  program: Command,
  context: CliContext,
  done: (exitCode: number) => void,
): void {
  program
    .command('export')
    .description('write all records as files, or as one JSON document')
    .argument('[DIR]', `${FOLDER}; without it standard output`)
    .addOption(bootstrapOption(context))
    .option('--state', 'also what the agents say, under DIR/state')
    .option('--pretty', 'JSON with one field a line, not as it was written')
    .option('--force', 'replace DIR/config even if files in it were edited, or are not ours')
    .addHelpText('after', `\n${help.exampleText(help.EXPORT_EXAMPLES)}`)
    .action((folder: string | undefined, options: ExportOptions) => exportRecords(context, folder, options));
  program
    .command('lint')
    .description('say everything that is wrong with records')
    .argument('[DIR]', `${FOLDER}; without it the live store`)
    .addOption(bootstrapOption(context))
    .option('--agent <NAME>', 'only as this agent sees it; else as every agent with a record does')
    .option('--strict', 'advice is an error, too')
    .option('--json', 'the findings with path, field, found, allowed, effect, severity, agents')
    .addHelpText('after', `\n${help.LINT_NOTE}\n\n${help.exampleText(help.LINT_EXAMPLES)}`)
    .action(async (folder: string | undefined, options: LintOptions) => {
      done(await lintRecords(context, folder, options));
    });
}
