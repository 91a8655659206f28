import { readFileSync, readdirSync } from 'node:fs';

const PATIENCE_MS = 30_000;

/**
 * Stops a process, and returns when all of its threads have stopped: each does so on its own, and on a busy machine one
 * of them may answer a request yet.
 */
export function freezeProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const deadline = performance.now() + PATIENCE_MS;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (!threadStates(pid).every((state) => state === 'T')) {
    if (performance.now() > deadline) throw new Error(`process ${pid} did not stop`);
    Atomics.wait(pause, 0, 0, 1);
  }
}

/** The state of each thread: behind the name in parentheses, which may hold anything (proc(5), /proc/pid/stat). */
function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      const line = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      return [line.slice(line.lastIndexOf(')') + 2, line.lastIndexOf(')') + 3)];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}
