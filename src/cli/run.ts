import { CommanderError } from 'commander';
import { CodedError, describeError } from '../core/errors.ts';
import { EXIT_CODES, exitCodeOf } from '../core/exit-codes.ts';
import type { CliContext } from './io.ts';
import { CliFailure } from './io.ts';
import { buildProgram } from './program.ts';

/**
 * Runs one command line, without the name of the program.
 * @returns the exit code; nothing is thrown
 */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  let exitCode: number = EXIT_CODES.ok.code;
  const program = buildProgram(context, (code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, context);
  }
}

function report(error: unknown, { io }: CliContext): number {
  // Commander has already written its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
  if (error instanceof CliFailure) {
    io.err(`vipkeeper: ${error.message}\n`);
    return error.exitCode;
  }
  io.err(`vipkeeper: ${describeError(error)}\n`);
  return error instanceof CodedError ? exitCodeOf(error.code) : EXIT_CODES.failure.code;
}
