import { Command, Option } from 'commander';
import type { ListOptions, ReadOptions } from './commands/read-records.ts';
import { getRecord, listRecords } from './commands/read-records.ts';
import type { HealthOptions } from './commands/check-health.ts';
import { checkHealth } from './commands/check-health.ts';
import { restartAgent } from './commands/restart-agent.ts';
import type { StatusOptions } from './commands/show-status.ts';
import { showStatus } from './commands/show-status.ts';
import type { VerifyOptions } from './commands/verify-kernel.ts';
import { verifyKernel } from './commands/verify-kernel.ts';
import type { RemoveOptions, SetOptions } from './commands/write-records.ts';
import { removeRecord, setRecord } from './commands/write-records.ts';
import { addConfigurationCommands } from './configuration-commands.ts';
import * as help from './help-texts.ts';
import type { CliContext } from './io.ts';
import { addOperationCommands } from './operation-commands.ts';
import { addApiOptions, bootstrapOption, parseRevision } from './options.ts';

const HELP_WIDTH = 110;

const ASKED_AGENT = 'ask the agent at this address, not the one that the bootstrap file names';

type BootstrapOption = { readonly bootstrap: string };

/**
 * The whole command line. Nothing happens before it is parsed.
 * @param done takes the exit code of a command that has one of its own
 */
export function buildProgram(context: CliContext, done: (exitCode: number) => void): Command {
  const { io } = context;
  const program = new Command('vipkeeper')
    .description(help.DESCRIPTION)
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(--help shows what is possible)')
    .version(context.deps.version, '--version', 'print the version')
    .exitOverride()
    .helpCommand('help [COMMAND]', 'show the help of a command')
    .addHelpText('after', `\n${help.exampleText(help.MAIN_EXAMPLES)}\n\n${help.surroundingsText()}`);
  addAgentCommands(program, context, done);
  addReadingCommands(program, context);
  addWritingCommands(program, context);
  addConfigurationCommands(program, context, done);
  addOperationCommands(program, context);
  program
    .command('version')
    .description('print the version')
    .action(() => io.out(`${context.deps.version}\n`));
  return program;
}

function addAgentCommands(program: Command, context: CliContext, done: (exitCode: number) => void): void {
  program
    .command('agent')
    .description('run the agent in the foreground until it is told to stop')
    .addOption(bootstrapOption(context))
    .option('--flush', 'on a stop, take what is ours out of the kernel instead of leaving it to forward')
    .addHelpText('after', `\n${help.SIGNALS}`)
    .action(async ({ bootstrap, flush }: BootstrapOption & { readonly flush?: boolean }) => {
      done(await context.deps.runAgent(bootstrap, { flush: flush === true }));
    });
  const status = program
    .command('status')
    .description('show what the running agent knows and does')
    .addOption(bootstrapOption(context));
  addApiOptions(status, ASKED_AGENT)
    .option('--json', 'the whole read model, as /v1/status gives it')
    .addHelpText('after', `\n${help.exampleText(help.STATUS_EXAMPLES)}`)
    .action((options: StatusOptions) => showStatus(context, options));
  const health = program
    .command('health')
    .description('say whether the running agent answers at all: for a supervisor')
    .addOption(bootstrapOption(context));
  addApiOptions(health, ASKED_AGENT)
    .addHelpText('after', `\n${help.HEALTH_NOTE}`)
    .action((options: HealthOptions) => checkHealth(context, options));
  const verify = program
    .command('verify')
    .description('have the running agent compare the kernel with what should be in force, and mend it, now')
    .addOption(bootstrapOption(context));
  addApiOptions(verify, ASKED_AGENT)
    .option('--json', 'the answer of /v1/verify')
    .addHelpText('after', `\n${help.VERIFY_NOTE}`)
    .action((options: VerifyOptions) => verifyKernel(context, options));
  program
    .command('restart')
    .description('let the running agent leave so that it can be started again; traffic and routes stay')
    .addOption(bootstrapOption(context))
    .addHelpText('after', `\n${help.RESTART_NOTE}`)
    .action((options: BootstrapOption) => restartAgent(context, options));
}

function addReadingCommands(program: Command, context: CliContext): void {
  program
    .command('get')
    .description('print a record of the store')
    .argument('<PATH>', 'path under the root, such as config/services/web')
    .addOption(bootstrapOption(context))
    .option('--json', 'with its revisions: {"path", "created", "modified", "value"}')
    .addHelpText('after', `\n${help.exampleText(help.GET_EXAMPLES)}`)
    .action((path: string, options: ReadOptions) => getRecord(context, path, options));
  program
    .command('ls')
    .description('list records of the store, one path a line; a slash at the end: there is more below')
    .argument('[PATH]', 'path under the root', 'config')
    .addOption(bootstrapOption(context))
    .option('-r, --recursive', 'everything below it, not only the next level')
    .option('-l, --long', 'with sizes and revisions')
    .option('--json', 'with revisions and values')
    .addHelpText('after', `\n${help.exampleText(help.LS_EXAMPLES)}`)
    .action((path: string, options: ListOptions) => listRecords(context, path, options));
}

function addWritingCommands(program: Command, context: CliContext): void {
  const expect = new Option('--expect <REVISION>', 'only if "modified" is still this (get --json); 0 = only if new');
  program
    .command('set')
    .description('write a record, if it is valid together with all others')
    .argument('<PATH>', 'path under the root, such as config/services/web')
    .argument('[VALUE]', 'JSON, @FILE, or - for standard input (the default when something is piped in)')
    .addOption(bootstrapOption(context))
    .addOption(expect.argParser(parseRevision))
    .option('--dry-run', 'validate only')
    .option('--no-validate', 'write it even if it is not valid: agents report it, and keep the last good version')
    .addHelpText('after', `\n${help.exampleText(help.SET_EXAMPLES)}`)
    .action((path: string, value: string | undefined, options: SetOptions) => setRecord(context, path, value, options));
  program
    .command('rm')
    .description('delete a record, if all others are valid without it')
    .argument('<PATH>', 'path under the root, such as config/services/web')
    .addOption(bootstrapOption(context))
    .option('-r, --recursive', 'also everything below it, such as the reals of a service')
    .option('--dry-run', 'validate, and say what would be deleted')
    .option('--no-validate', 'delete it even if other records still refer to it')
    .addHelpText('after', `\n${help.exampleText(help.RM_EXAMPLES)}`)
    .action((path: string, options: RemoveOptions) => removeRecord(context, path, options));
}
