import { checkCatalog } from '../src/checks/decode.ts';
import { buildProgram } from '../src/cli/program.ts';
import type { CliContext } from '../src/cli/io.ts';
import { systemClock } from '../src/core/system-clock.ts';
import { block, page } from './markdown.ts';

/** The help of every command, as the program prints it. */
export function cliPage(): string {
  let written = '';
  const refuse = (): never => {
    throw new Error('help runs nothing');
  };
  const context: CliContext = {
    io: { out: (text) => (written += text), err: refuse, readInput: refuse, interactive: true, env: {} },
    deps: {
      version: '',
      clock: systemClock,
      checks: checkCatalog,
      loadBootstrap: refuse,
      openStore: refuse,
      runAgent: refuse,
      interrupted: refuse,
      signal: refuse,
    },
  };
  const program = buildProgram(context, refuse);
  const helpOf = (command: { outputHelp(): void }): string => {
    written = '';
    command.outputHelp();
    return written;
  };
  const sections = program.commands.flatMap((command) => {
    return command.name() === 'help' ? [] : [`## vipkeeper ${command.name()}`, block('text', helpOf(command))];
  });
  return page('Command line', block('text', helpOf(program)), ...sections);
}
