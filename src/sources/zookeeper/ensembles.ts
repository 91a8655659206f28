import { EnsembleWatch } from './ensemble-watch.ts';
import type { WatchedZnode } from './ensemble-watch.ts';
import { zookeeperSettings } from './options.ts';
import type { ZookeeperDeps } from './options.ts';
import { formatServer, parseServer } from './servers.ts';

/** Far more than anybody writes into the path that comes with an event; all else that is read here is short. */
const MAX_REPLY_BYTES = 1024 * 1024;

/** One session to each ensemble of which somebody wants to know znodes, and none where nobody does. */
export class Ensembles {
  readonly #deps: ZookeeperDeps;
  readonly #watches = new Map<string, EnsembleWatch>();
  /** Sessions that are being ended. */
  readonly #ending = new Set<Promise<void>>();

  constructor(deps: ZookeeperDeps) {
    this.#deps = deps;
  }

  /**
   * @param servers as in `ZookeeperOptions`; in any order
   * @param path absolute
   * @throws CodedError when a server cannot be understood
   */
  watch(servers: readonly string[], path: string): WatchedZnode {
    const key = [...new Set(servers.map(canonical))].sort().join(', ');
    let watch = this.#watches.get(key);
    if (watch === undefined) {
      watch = this.#open(servers, key);
      this.#watches.set(key, watch);
    }
    return watch.watch(path);
  }

  /** Ends every session at its server, as far as there is a connection to say so; waits for those that end already. */
  async close(): Promise<void> {
    for (const watch of this.#watches.values()) watch.close();
    await Promise.all(this.#ending);
  }

  #open(servers: readonly string[], key: string): EnsembleWatch {
    const settings = zookeeperSettings({ servers, root: '/', maxReplyBytes: MAX_REPLY_BYTES });
    if (!settings.ok) throw settings.error;
    return new EnsembleWatch(settings.value.openSession(this.#deps), key, this.#deps, (ended) => {
      this.#watches.delete(key);
      this.#ending.add(ended);
      void ended.then(() => this.#ending.delete(ended));
    });
  }
}

function canonical(text: string): string {
  const server = parseServer(text);
  return server === undefined ? text : formatServer(server);
}
