import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** How the process is called in messages; the program's own name if absent. */
  readonly name?: string;
  /** Written to the process's standard input, which then ends. */
  readonly input?: string;
}

export interface ProcessEnd {
  /** The exit status, or null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const TAIL_BYTES = 4_000;

/** What still runs; killed when this test process ends in any way that lets it run a last line. */
const running = new Set<LabProcess>();
process.on('exit', () => {
  for (const each of running) each.abandon();
});

/**
 * A real program run by a test. Standard output and error go to one temporary file (a pipe that nobody drains would
 * stop the program), and only the process started here is ever signalled.
 */
export class LabProcess {
  readonly name: string;
  /** Settles when the process has ended, however it did. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #end: ProcessEnd | undefined;

  private constructor(name: string, child: ChildProcess, folder: string) {
    this.name = name;
    this.#child = child;
    this.#folder = folder;
    this.ended = once(child, 'exit').then(() => {
      this.#end = { code: child.exitCode, signal: child.signalCode };
      return this.#end;
    });
    running.add(this);
  }

  static async start(file: string, args: readonly string[], options: ProcessOptions = {}): Promise<LabProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-process-'));
    const log = openSync(join(folder, 'log'), 'a');
    // The kernel kills the program when this process is gone, even if that was by SIGKILL (prctl(2), PR_SET_PDEATHSIG).
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', file, ...args], {
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [options.input === undefined ? 'ignore' : 'pipe', log, log],
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined).end(options.input);
    try {
      await once(child, 'spawn');
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`cannot start ${file}: ${String(error)}`, { cause: error });
    }
    return new LabProcess(options.name ?? file, child, folder);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} has no pid`);
    return this.#child.pid;
  }

  /** How it ended, or undefined while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  /** The end of the log, for messages. */
  tail(): string {
    return this.log().slice(-TAIL_BYTES);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.alive) this.#child.kill(signal);
  }

  /** Signals and waits for the end; SIGKILL follows if the process has not ended within `graceMs`. */
  async kill(signal: NodeJS.Signals = 'SIGKILL', graceMs = 10_000): Promise<ProcessEnd> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  /** Ends the process if it still runs and deletes its log. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<ProcessEnd> {
    // A stopped process heeds SIGKILL only.
    const end = await this.kill(signal);
    running.delete(this);
    rmSync(this.#folder, { recursive: true, force: true });
    return end;
  }

  /**
   * Waits until `probe` says yes; fails at once, with the end of the log, if the process ends first or the time is up.
   */
  async until(what: string, probe: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let last = '';
    while (this.alive && performance.now() < deadline) {
      try {
        if (await probe()) return;
      } catch (error) {
        last = `; last error: ${String(error)}`;
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    const why =
      this.#end === undefined ? `not so after ${timeoutMs} ms${last}` : `ended with ${describeEnd(this.#end)}`;
    throw new Error(`${this.name}: ${what}: ${why}\n${this.tail()}`);
  }

  /** The last thing that a test process does for its children. */
  abandon(): void {
    this.signal('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export function describeEnd(end: ProcessEnd): string {
  return end.signal === null ? `exit status ${end.code ?? 'unknown'}` : end.signal;
}

/** Runs a program to its end and returns its standard output and error together; any failure carries them. */
export async function runToEnd(file: string, args: readonly string[], options: ProcessOptions = {}): Promise<string> {
  const child = await LabProcess.start(file, args, options);
  const end = await child.ended;
  const log = child.log();
  await child.stop();
  if (end.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${describeEnd(end)}\n${log.slice(-TAIL_BYTES)}`);
  return log;
}
