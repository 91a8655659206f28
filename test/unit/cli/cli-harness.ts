import { runCli } from '../../../src/cli/run.ts';
import type { CliDeps } from '../../../src/cli/io.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import { ok } from '../../../src/core/result.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { MemoryStoreClient } from '../../fakes/memory-store-client.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export interface Harness {
  readonly store: MemoryStoreClient;
  /** Runs `vipkeeper ARGS`. */
  readonly run: (...args: readonly string[]) => Promise<Outcome>;
  /** The same, with everything that it says told while it runs. */
  readonly listen: (hear: (text: string) => void, ...args: readonly string[]) => Promise<Outcome>;
  /** The same with something piped in. */
  readonly pipe: (input: string, ...args: readonly string[]) => Promise<Outcome>;
}

/** The command line in this process, with a terminal and a store of its own. */
export function harness(changes: Partial<CliDeps> = {}, env: Record<string, string> = {}): Harness {
  const store = new MemoryStoreClient();
  const deps: CliDeps = {
    version: '1.2.3',
    clock: systemClock,
    checks: checkCatalog,
    loadBootstrap: () =>
      ok({
        agent: 'lb1',
        store: { directory: { path: '/nowhere' } },
        root: '/vipkeeper',
        stateDir: '/nowhere',
        api: { listen: '127.0.0.1:1' },
        log: { level: 'info' },
        checkWorkers: 1,
      }),
    openStore: () => Promise.resolve(ok(store)),
    runAgent: () => Promise.resolve(0),
    interrupted: () => Promise.resolve(),
    signal: () => undefined,
    ...changes,
  };
  const runWith = async (
    input: string | null,
    args: readonly string[],
    hear: (text: string) => void = () => undefined,
  ): Promise<Outcome> => {
    let out = '';
    let err = '';
    const io = {
      out: (text: string) => {
        out += text;
        hear(text);
      },
      err: (text: string) => {
        err += text;
        hear(text);
      },
      readInput: () => Promise.resolve(Buffer.from(input ?? '')),
      interactive: input === null,
      env,
    };
    return { exitCode: await runCli(args, { io, deps }), out, err };
  };
  return {
    store,
    run: (...args) => runWith(null, args),
    listen: (hear, ...args) => runWith(null, args, hear),
    pipe: (input, ...args) => runWith(input, args),
  };
}

/** A small valid configuration: one VIP, one check, one service with two reals. */
export function seed(store: MemoryStoreClient): void {
  store.put('config', '');
  store.put('config/vips/web', { addresses: ['203.0.113.10'] });
  store.put('config/checks/https-ok', { type: 'https', path: '/healthz' });
  store.put('config/services/web', { vip: 'web', match: { ports: ['443'] }, checks: ['https-ok'] });
  store.put('config/services/web/reals', '');
  store.put('config/services/web/reals/a', { address: '10.0.0.11' });
  store.put('config/services/web/reals/b', { address: '10.0.0.12' });
}
