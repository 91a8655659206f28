import { isAlive, readLock } from '../../agent/agent-lock.ts';
import type { Clock } from '../../core/ports.ts';
import { bootstrapOf } from '../bootstrap-access.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';

const POLL_MS = 50;
const LEAVE_TIMEOUT_MS = 30_000;

/**
 * `vipkeeper restart`: asks the agent of this state directory to leave in the way of a restart, and waits until it
 * has. The lock names the process beyond doubt (pid, start time and boot), so no stranger gets the signal.
 */
export async function restartAgent(context: CliContext, options: { readonly bootstrap: string }): Promise<void> {
  const { io, deps } = context;
  const { stateDir } = bootstrapOf(context, options.bootstrap);
  const owner = readLock(stateDir);
  if (owner === null || !isAlive(owner)) throw new CliFailure('failure', `no agent is running in ${stateDir}`);
  deps.signal(owner.pid, 'SIGUSR2');
  const deadline = deps.clock.monotonic() + LEAVE_TIMEOUT_MS;
  while (isAlive(owner)) {
    if (deps.clock.monotonic() > deadline) {
      const waited = `${LEAVE_TIMEOUT_MS / 1_000} s`;
      throw new CliFailure('failure', `the agent (pid ${owner.pid}) has not left after ${waited}; its log says why`);
    }
    await pause(deps.clock, POLL_MS);
  }
  io.out(
    `the agent (pid ${owner.pid}) has left; peers keep its routes until its service manager has started it again\n`,
  );
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
