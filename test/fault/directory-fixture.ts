import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { silentLog } from '../../src/core/ports.ts';
import type { Clock } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { DirectorySource } from '../../src/sources/directory/source.ts';

/** A store directory with some records in it, and what a test does to it by hand. */
export class StoreFolder {
  readonly path: string;
  readonly #parent: string;

  private constructor(parent: string) {
    this.#parent = parent;
    this.path = join(parent, 'store');
  }

  static async make(records: Readonly<Record<string, string>> = {}): Promise<StoreFolder> {
    const folder = new StoreFolder(await mkdtemp(join(tmpdir(), 'vipkeeper-directory-')));
    await mkdir(folder.path);
    for (const [path, text] of Object.entries(records)) await folder.put(path, text);
    return folder;
  }

  file(path: string): string {
    return join(this.path, `${path}.json`);
  }

  async put(path: string, text: string): Promise<void> {
    await mkdir(dirname(this.file(path)), { recursive: true });
    await writeFile(this.file(path), text);
  }

  source(options: { readonly clock?: Clock; readonly sessionTimeoutMs?: number } = {}): DirectorySource {
    const { clock = systemClock, sessionTimeoutMs = 10_000 } = options;
    return new DirectorySource({ path: this.path, sessionTimeoutMs }, { clock, log: silentLog });
  }

  async remove(): Promise<void> {
    await rm(this.#parent, { recursive: true, force: true });
  }
}
