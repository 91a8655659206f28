import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import type { Log } from '../../core/ports.ts';
import { errnoOf } from './errors.ts';
import { isHidden } from './paths.ts';

/** Each folder costs one inotify watch, of which a user may have 8,192 on small machines (fs.inotify.max_user_watches). */
const MAX_FOLDERS = 4_096;

/**
 * Hears of changes in folders while they happen. One watch a folder and none a file: Node's own recursive watch on
 * Linux takes one for every file. Events can be lost, so this only makes things faster; a slow rescan makes them sure.
 */
export class FolderWatcher {
  readonly #onEvent: () => void;
  readonly #log: Log;
  readonly #watchers = new Map<string, FSWatcher>();
  #complained = false;

  constructor(onEvent: () => void, log: Log) {
    this.#onEvent = onEvent;
    this.#log = log;
  }

  /** Watches exactly these folders from now on. Resolves to whether any is new: it may have changed before its watch. */
  follow(folders: readonly string[]): boolean {
    const wanted = new Set(folders.slice(0, MAX_FOLDERS));
    if (folders.length > MAX_FOLDERS) this.#complain(`more than ${MAX_FOLDERS} folders`);
    for (const folder of this.#watchers.keys()) if (!wanted.has(folder)) this.#drop(folder);
    let added = false;
    for (const folder of wanted) if (!this.#watchers.has(folder)) added = this.#add(folder) || added;
    return added;
  }

  close(): void {
    for (const folder of [...this.#watchers.keys()]) this.#drop(folder);
  }

  #add(folder: string): boolean {
    try {
      const watcher = watch(folder, { persistent: true }, (_event, name) => {
        if (name === null || !isHidden(name)) this.#onEvent();
      });
      watcher.on('error', () => {
        this.#drop(folder);
        this.#onEvent();
      });
      this.#watchers.set(folder, watcher);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') this.#complain(String(error));
      return false;
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #complain(why: string): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#log.warn({ why }, 'not every folder of the store can be watched; changes are found by the slow rescan');
  }
}
