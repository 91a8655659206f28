import type { Command } from 'commander';
import type { ApproveOptions } from './commands/approve-change.ts';
import { approveChange } from './commands/approve-change.ts';
import type { DrainOptions } from './commands/drain-target.ts';
import { drainTarget, undrainTarget } from './commands/drain-target.ts';
import type { WatchOptions } from './commands/watch-records.ts';
import { watchRecords } from './commands/watch-records.ts';
import * as help from './help-texts.ts';
import type { CliContext } from './io.ts';
import { bootstrapOption, parseDuration } from './options.ts';

const TARGET = 'a real ("web/a"), a service ("web"), a VIP ("vip:web") or an agent ("agent:lb1")';

/** Commands of the daily work that is no configuration. */
export function addOperationCommands(program: Command, context: CliContext): void {
  program
    .command('approve')
    .description('let a change pass that the guard holds; without REVISION: say what is held, and by whom')
    .argument('[REVISION]', '"sha256:" and 64 digits, or as many of them as tell it from other held changes')
    .addOption(bootstrapOption(context))
    .option('--by <NAME>', 'who approves; else the name that you have on this machine')
    .option('--why <TEXT>', 'why')
    .option('--force', 'even if no agent says that it holds it, or it was approved before')
    .option('--json', 'what is held, as JSON')
    .addHelpText('after', `\n${help.exampleText(help.APPROVE_EXAMPLES)}`)
    .action((revision: string | undefined, options: ApproveOptions) => approveChange(context, revision, options));
  program
    .command('drain')
    .description('take something out of service gently: connections end by themselves, new ones go elsewhere')
    .argument('<TARGET>', TARGET)
    .addOption(bootstrapOption(context))
    .requiredOption('--why <TEXT>', 'why')
    .option('--by <NAME>', 'who wants it; else the name that you have on this machine')
    .option('--until <TIME>', 'when it ends, such as 2026-12-01T10:00:00Z; else with "undrain"')
    .option('--for <DURATION>', 'how long it lasts, such as 2h', parseDuration)
    .option('--keep', 'stay drained at that time until "undrain"; the time is then a reminder in the status')
    .addHelpText('after', `\n${help.exampleText(help.DRAIN_EXAMPLES)}`)
    .action((target: string, options: DrainOptions) => drainTarget(context, target, options));
  program
    .command('undrain')
    .description('end a drain')
    .argument('<TARGET>', `${TARGET}, or the name of a drain`)
    .addOption(bootstrapOption(context))
    .action((target: string, options: { readonly bootstrap: string }) => undrainTarget(context, target, options));
  program
    .command('watch')
    .description('say what changes in the store while it happens, until it is interrupted (exit code 0)')
    .argument('[PREFIX]', 'a path under the root: what lies at and below it', 'config')
    .addOption(bootstrapOption(context))
    .option('--all', 'of state records also the times that are refreshed now and then')
    .option('--json', 'one JSON object a line: at, kind (add, edit, delete), path, fields or value')
    .addHelpText('after', `\n${help.exampleText(help.WATCH_EXAMPLES)}`)
    .action((prefix: string, options: WatchOptions) => watchRecords(context, prefix, options));
}
