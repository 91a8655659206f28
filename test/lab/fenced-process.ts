import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';

/**
 * Starts `script` in mount and process namespaces of its own. Whatever ends this process or the run, the kernel kills
 * every process in there with it (prctl(2) PR_SET_PDEATHSIG, pid_namespaces(7)).
 */
export function startFenced(
  flags: readonly string[],
  script: string,
  env: NodeJS.ProcessEnv,
  stdio: StdioOptions,
): ChildProcess {
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...flags];
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...unshare, 'sh', '-c', script], { env, stdio });
}
