import { Option } from 'commander';
import type { Command } from 'commander';
import type { ApplyOptions } from './commands/apply-configuration.ts';
import { applyConfiguration } from './commands/apply-configuration.ts';
import type { ExportOptions } from './commands/export-records.ts';
import { exportRecords } from './commands/export-records.ts';
import type { ImportOptions } from './commands/import-records.ts';
import { IMPORT_FORMATS, importRecords } from './commands/import-records.ts';
import type { LintOptions } from './commands/lint-records.ts';
import { lintRecords } from './commands/lint-records.ts';
import type { PlanOptions } from './commands/plan-change.ts';
import { planChange } from './commands/plan-change.ts';
import * as help from './help-texts.ts';
import type { CliContext } from './io.ts';
import { addApiOptions, bootstrapOption, collected, markAddress, parseConfigRevision } from './options.ts';

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
  const plan = program
    .command('plan')
    .description('say what an edit would do to an agent, without making it')
    .argument('[DIR]', `${FOLDER}; without it what the agent has not taken over yet`)
    .addOption(bootstrapOption(context))
    .addOption(new Option('--set <PATH=VALUE>', 'instead of DIR: one record, JSON or @FILE').argParser(collected))
    .addOption(new Option('--rm <PATH>', 'instead of DIR: one record less, and all below it').argParser(collected))
    .option('--prune', 'with what DIR does not have deleted')
    .option('--agent <NAME>', 'what it would do to this agent; else to that of this machine');
  addApiOptions(plan, 'where that agent answers, for its connections')
    .option('--json', 'the whole preview')
    .addHelpText('after', `\n${help.PLAN_NOTE}\n\n${help.exampleText(help.PLAN_EXAMPLES)}`)
    .action(async (folder: string | undefined, options: PlanOptions) => {
      done(await planChange(context, folder, options));
    });
  program
    .command('apply')
    .description('make the store as a directory is: difference first, then all of it or nothing')
    .argument('<DIR>', FOLDER)
    .addOption(bootstrapOption(context))
    .option('--prune', 'also delete what DIR does not have; else it is kept, and said so')
    .addOption(
      new Option('--expect <REVISION>', 'only if the store is still at this revision, as plan shows it').argParser(
        parseConfigRevision,
      ),
    )
    .option('--dry-run', 'validate, and show what would be written')
    .option('--yes', 'if it is too much for one transaction: write it in several')
    .addHelpText('after', `\n${help.APPLY_NOTE}\n\n${help.exampleText(help.APPLY_EXAMPLES)}`)
    .action((folder: string, options: ApplyOptions) => applyConfiguration(context, folder, options));
  program
    .command('import')
    .description('make records of a keepalived.conf, or of the configuration of go_keepalived')
    .argument('<FILE>', 'the file; what it includes is read as well')
    .argument('[DIR]', `${FOLDER}; without it nothing is written`)
    .addOption(new Option('--format <NAME>', 'the grammar of FILE').choices(IMPORT_FORMATS).default('keepalived'))
    .option('--config-id <ID>', 'for lines that start with @ID, as keepalived -i takes it')
    .addOption(
      new Option(
        '--mark-address <MARK=ADDRESS>',
        'an address that clients of a firewall mark connect to; keepalived.conf does not say it',
      ).argParser(markAddress),
    )
    .option('--force', 'replace DIR/config even if files in it were edited, or are not ours')
    .option('--json', 'the records, what is not in them, and what lint says of them')
    .addHelpText('after', `\n${help.IMPORT_NOTE}\n\n${help.exampleText(help.IMPORT_EXAMPLES)}`)
    .action(async (path: string, folder: string | undefined, options: ImportOptions) => {
      done(await importRecords(context, path, folder, options));
    });
}
