import { describeError } from '../core/errors.ts';
import { EXIT_CODES, exitCodeOf } from '../core/exit-codes.ts';
import { systemClock } from '../core/system-clock.ts';
import { lockStateDir } from './agent-lock.ts';
import type { Departure } from './agent.ts';
import { apiTlsProblems } from './api-tls.ts';
import { describeBootstrapProblems, loadBootstrap } from './bootstrap-file.ts';
import { keepHeapSmall } from './heap-policy.ts';
import { createLogger } from './logger.ts';
import { wireAgent } from './wire.ts';

export interface RunOptions {
  /** On a stop, delete what is ours from the kernel instead of leaving it to forward. */
  readonly flush: boolean;
}

/** A stop that takes longer than this ends the process all the same. */
const STOP_LIMIT_MS = 20_000;

/**
 * Runs an agent until a signal ends it: SIGTERM and SIGINT stop it, SIGUSR2 makes it leave for a restart.
 * @returns the exit code; what went wrong is on standard error or in the log
 */
export async function runAgent(bootstrapPath: string, options: RunOptions): Promise<number> {
  keepHeapSmall();
  const bootstrap = loadBootstrap(bootstrapPath);
  if (!bootstrap.ok) {
    process.stderr.write(`vipkeeper: ${describeBootstrapProblems(bootstrapPath, bootstrap.error)}\n`);
    return EXIT_CODES.invalid.code;
  }
  const tlsProblems = apiTlsProblems(bootstrapPath, bootstrap.value.api);
  if (tlsProblems.length > 0) {
    process.stderr.write(`vipkeeper: ${describeBootstrapProblems(bootstrapPath, tlsProblems)}\n`);
    return EXIT_CODES.invalid.code;
  }
  const lock = lockStateDir(bootstrap.value.stateDir);
  if (!lock.ok) {
    process.stderr.write(`vipkeeper: ${describeError(lock.error)}\n`);
    return exitCodeOf(lock.error.code);
  }
  const log = createLogger(bootstrap.value.log.level, bootstrap.value.agent);
  const departure = departureSignal(options);
  // A defect ends the process at once: peers and kernel go on as after any crash, and the supervisor starts us again.
  process.on('uncaughtException', (error) => {
    log.error({ error: describeError(error), stack: error.stack }, 'a defect: the agent ends');
    process.exit(EXIT_CODES.failure.code);
  });
  const wired = await wireAgent(bootstrap.value, log);
  if (!wired.ok) {
    process.stderr.write(`vipkeeper: ${describeError(wired.error)}\n`);
    lock.value.release();
    return exitCodeOf(wired.error.code);
  }
  const { agent, api } = wired.value;
  agent.start();
  log.info({ pid: process.pid, stateDir: bootstrap.value.stateDir, api: api.address }, 'agent started');
  const how = await departure;
  log.info({ how: how.kind }, how.kind === 'restart' ? 'leaving for a restart' : 'stopping');
  const cancel = systemClock.after(STOP_LIMIT_MS, () => {
    log.error({ limitMs: STOP_LIMIT_MS }, 'the stop took too long');
    process.exit(EXIT_CODES.failure.code);
  });
  await api.stop();
  await agent.stop(how);
  cancel();
  lock.value.release();
  log.info({}, 'agent ended');
  return EXIT_CODES.ok.code;
}

function departureSignal({ flush }: RunOptions): Promise<Departure> {
  return new Promise((resolve) => {
    const stop = (): void => resolve({ kind: 'stop', flush });
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGUSR2', () => resolve({ kind: 'restart' }));
    // A terminal that goes away, or a habit from other daemons: there is nothing to reload.
    process.on('SIGHUP', () => undefined);
  });
}
