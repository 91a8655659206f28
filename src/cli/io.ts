import type { LoadedBootstrap } from '../agent/bootstrap-file.ts';
import type { CodedError } from '../core/errors.ts';
import { EXIT_CODES } from '../core/exit-codes.ts';
import type { ExitName } from '../core/exit-codes.ts';
import type { Clock } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import type { CheckCatalog } from '../model/check-definition.ts';
import type { Problem } from '../model/problem.ts';
import type { StoreClient } from '../sources/source.ts';

/** The terminal, as far as a command may touch it. */
export interface CliIo {
  /** Standard output: what was asked for, so that it can be piped on. */
  out(text: string): void;
  /** Standard error: everything else. */
  err(text: string): void;
  /** All of standard input, or, where that is more than `limit` bytes, some more than these. */
  readInput(limit: number): Promise<Uint8Array>;
  /** Standard input is a terminal: nobody has piped a value into us. */
  readonly interactive: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The rest of the program, as far as commands need it. */
export interface CliDeps {
  readonly version: string;
  readonly clock: Clock;
  readonly checks: CheckCatalog;
  loadBootstrap(path: string): Result<LoadedBootstrap, readonly Problem[]>;
  openStore(bootstrap: LoadedBootstrap): Promise<Result<StoreClient, CodedError>>;
  /** Runs until it is told to stop. `flush`: on a stop, take what is ours out of the kernel. */
  runAgent(bootstrapPath: string, options: { readonly flush: boolean }): Promise<number>;
  /** Resolves when the person at the terminal, or a supervisor, has had enough (SIGINT, SIGTERM). */
  interrupted(): Promise<void>;
  /** Sends a signal to a process. */
  signal(pid: number, name: 'SIGUSR2'): void;
}

export interface CliContext {
  readonly io: CliIo;
  readonly deps: CliDeps;
}

/** Ends a command with a message and an exit code; CodedErrors do the same with the exit code of theirs. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exitCode: number;

  constructor(exit: ExitName, message: string) {
    super(message);
    this.exitCode = EXIT_CODES[exit].code;
  }
}

/** The value, or the command ends with the error. */
export function orFail<T>(result: Result<T, Error>): T {
  if (result.ok) return result.value;
  throw result.error;
}
