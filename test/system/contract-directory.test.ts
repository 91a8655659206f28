import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../../src/core/ports.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { DirectoryStoreClient } from '../../src/sources/directory/client.ts';
import { DirectorySource } from '../../src/sources/directory/source.ts';
import { describeSourceContract } from './source-contract.ts';
import type { Outsider } from './contract-store.ts';

const TIMEOUT_MS = 1_500;
/** Nothing but the slow rescan waits for two seconds. It never comes here, so that only a notice can tell of an edit. */
const RESCAN_MS = 2_000;
const CLOCK: Clock = {
  ...systemClock,
  after: (ms, run) => (ms < RESCAN_MS ? systemClock.after(ms, run) : () => undefined),
};

describeSourceContract('a directory', { transactions: false }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vipkeeper-directory-'));
  let stores = 0;
  return {
    sessionTimeoutMs: TIMEOUT_MS,
    fresh: async () => {
      stores += 1;
      const path = join(folder, String(stores));
      await mkdir(path);
      const settings = { path, sessionTimeoutMs: TIMEOUT_MS };
      return {
        outsider: editorOf(path),
        source: () => new DirectorySource(settings, { clock: CLOCK, log: silentLog }),
        client: () => new DirectoryStoreClient(settings, CLOCK),
        endSession: async (session: string) => {
          await rm(join(path, 'state/.sessions', `${session}.lock`));
        },
      };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

/** Somebody with a shell: writes in place, as `cat >` does, and deletes as `rm -r` does. */
function editorOf(root: string): Outsider {
  const file = (path: string): string => join(root, `${path}.json`);
  return {
    put: async (path, text) => {
      await mkdir(dirname(file(path)), { recursive: true });
      await writeFile(file(path), text);
    },
    makeFolder: async (path) => {
      await mkdir(join(root, path), { recursive: true });
    },
    remove: (path) => rm(file(path)),
    removeTree: async (path) => {
      await rm(join(root, path), { recursive: true, force: true });
      await rm(file(path), { force: true });
    },
    get: (path) => readFile(file(path), 'utf8').catch(() => null),
    tick: async () => {
      const probe = join(root, '.tick');
      const birth = async (): Promise<bigint> => {
        await rm(probe, { force: true });
        await writeFile(probe, '');
        return (await stat(probe, { bigint: true })).birthtimeNs;
      };
      const first = await birth();
      while ((await birth()) === first);
    },
  };
}
