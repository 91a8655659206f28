import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs `work` while no other process on this kernel holds the same lock file. The lock is flock(2), held by a child
 * that lives as long as the pipe to it: the kernel drops it whichever way this process ends, so none is ever stale.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  try {
    const said = await Promise.race([once(holder.stdout, 'data'), ended.then(() => undefined)]);
    if (said === undefined) throw new Error(`cannot lock ${file}`);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
