import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface WorkerEntry {
  readonly file: string;
  readonly execArgv: string[];
}

/**
 * Where a worker's module lies, as seen from the module that starts it. From a build it is a .js file; straight from the
 * sources (tests, benchmarks) it is TypeScript, which a worker can only load with the loader named in `execArgv`.
 * @param name the module's name without extension, relative to `parentUrl`. Such as '../bgp/worker', and not
 *   './worker', where the program does it: a build moves who starts it to another folder beside its own
 */
export function workerEntry(name: string, parentUrl: string): WorkerEntry {
  const fromSource = parentUrl.endsWith('.ts');
  const file = fileURLToPath(new URL(`${name}${fromSource ? '.ts' : '.js'}`, parentUrl));
  return { file, execArgv: fromSource ? ['--import', typeScriptLoader(parentUrl)] : [] };
}

/** `--import tsx` registers in the main thread only (Node 20), so the worker is told to register by itself. */
function typeScriptLoader(parentUrl: string): string {
  const tsx = pathToFileURL(createRequire(parentUrl).resolve('tsx/package.json'));
  const api = new URL('./dist/esm/api/index.mjs', tsx).href;
  return `data:text/javascript,import { register } from ${JSON.stringify(api)}; register();`;
}
