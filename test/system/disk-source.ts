import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadBootstrap } from '../../src/agent/bootstrap-file.ts';
import { storeSettings } from '../../src/agent/store-settings.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { openSource } from '../../src/sources/open-source.ts';
import type { Source } from '../../src/sources/source.ts';

/** The agent's source as a bootstrap file in `folder` asks for it: what it names on disk is read as the agent would. */
export async function diskSource(store: object, folder: string): Promise<Source> {
  const path = join(folder, 'bootstrap.json');
  await writeFile(path, JSON.stringify({ agent: 'lb1', store }));
  const bootstrap = loadBootstrap(path);
  if (!bootstrap.ok) throw new Error(JSON.stringify(bootstrap.error));
  const deps = { clock: systemClock, random: Math.random, log: silentLog };
  const source = await openSource(storeSettings(bootstrap.value, 'agent'), deps);
  if (!source.ok) throw source.error;
  return source.value;
}
