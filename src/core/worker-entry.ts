import { fileURLToPath } from 'node:url';

export interface WorkerEntry {
  readonly file: string;
  readonly execArgv: string[];
}

/**
 * Where a worker's module lies, next to the module that starts it. From a build it is a .js file; straight from the
 * sources (tests, benchmarks) it is TypeScript, which a worker can only load with the loader named in `execArgv`.
 * @param name the module's name without extension, relative to `parentUrl`, such as './worker'
 */
export function workerEntry(name: string, parentUrl: string): WorkerEntry {
  const fromSource = parentUrl.endsWith('.ts');
  const file = fileURLToPath(new URL(`${name}${fromSource ? '.ts' : '.js'}`, parentUrl));
  return { file, execArgv: fromSource ? ['--import', 'tsx'] : [] };
}
