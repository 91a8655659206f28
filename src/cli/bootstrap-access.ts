import { describeBootstrapProblems } from '../agent/bootstrap-file.ts';
import type { LoadedBootstrap } from '../agent/bootstrap-file.ts';
import type { StoreClient } from '../sources/source.ts';
import type { CliContext } from './io.ts';
import { CliFailure, orFail } from './io.ts';

export const DEFAULT_BOOTSTRAP = '/etc/vipkeeper/bootstrap.json';
export const BOOTSTRAP_ENV = 'VIPKEEPER_BOOTSTRAP';

/** The bootstrap file, or the command ends with all that is wrong with it. */
export function bootstrapOf({ deps }: CliContext, path: string): LoadedBootstrap {
  const loaded = deps.loadBootstrap(path);
  if (loaded.ok) return loaded.value;
  throw new CliFailure('invalid', describeBootstrapProblems(path, loaded.error));
}

/** Runs something against the configured store, and leaves the store in any case. */
export async function withStore<T>(
  context: CliContext,
  bootstrapPath: string,
  use: (store: StoreClient, bootstrap: LoadedBootstrap) => Promise<T>,
): Promise<T> {
  const bootstrap = bootstrapOf(context, bootstrapPath);
  const store = orFail(await context.deps.openStore(bootstrap));
  try {
    return await use(store, bootstrap);
  } finally {
    await store.close();
  }
}
