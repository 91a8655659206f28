import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { describeError } from '../core/errors.ts';
import type { Clock, Random } from '../core/ports.ts';

/** A member of the store as the bootstrap file names it: a name or an address, without brackets. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** A member with one of its addresses: an IP address. `host` stays what a certificate must carry. */
export type Destination<S extends ServerAddress = ServerAddress> = S & { readonly address: string };

/** All addresses of a name, in any order. Rejects when there are none. */
export type Lookup = (name: string) => Promise<readonly string[]>;

export const systemLookup: Lookup = async (name) => {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
};

export interface ServerNamesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly lookup: Lookup;
}

export interface Resolution<S extends ServerAddress = ServerAddress> {
  readonly destinations: readonly Destination<S>[];
  /** Why some name has no address; null = each has one. */
  readonly error: string | null;
}

/** A name server that does not answer must not cost the session: what was known before is tried meanwhile. */
const PATIENCE_MS = 1_000;

/**
 * The members of a store, resolved again whenever it is asked, in a shuffled order that stays: a fleet does not all ask
 * the first of the list, and whoever goes down the list meets each member once. A name that cannot be resolved keeps
 * the addresses that it had.
 */
export class ServerNames<S extends ServerAddress = ServerAddress> {
  readonly #servers: readonly S[];
  readonly #deps: ServerNamesDeps;
  readonly #addresses = new Map<string, readonly string[]>();

  constructor(servers: readonly S[], deps: ServerNamesDeps) {
    this.#servers = shuffled(servers, deps.random);
    this.#deps = deps;
  }

  /** At once where there is nothing to look up. */
  resolve(): Resolution<S> | Promise<Resolution<S>> {
    const names = [...new Set(this.#servers.map(({ host }) => host).filter((host) => isIP(host) === 0))];
    if (names.length === 0) return this.#resolution([]);
    return Promise.all(names.map((name) => this.#look(name))).then((errors) => this.#resolution(errors.flat()));
  }

  #resolution(errors: readonly string[]): Resolution<S> {
    const destinations = this.#servers.flatMap((server) => {
      const addresses = isIP(server.host) === 0 ? (this.#addresses.get(server.host) ?? []) : [server.host];
      return addresses.map((address) => ({ ...server, address }));
    });
    return { destinations, error: errors.length === 0 ? null : errors.join('; ') };
  }

  /** Resolves to what went wrong. */
  async #look(name: string): Promise<readonly string[]> {
    const before = this.#addresses.get(name) ?? [];
    try {
      const found = new Set(await this.#inTime(name));
      const stayed = before.filter((address) => found.has(address));
      const fresh = [...found].filter((address) => !before.includes(address)).sort();
      if (found.size === 0) return [`${name} has no address`];
      this.#addresses.set(name, [...stayed, ...shuffled(fresh, this.#deps.random)]);
      return [];
    } catch (error) {
      return [`${name} cannot be resolved: ${describeError(error)}`];
    }
  }

  #inTime(name: string): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const cancel = this.#deps.clock.after(PATIENCE_MS, () => reject(new Error(`no answer for ${PATIENCE_MS} ms`)));
      void this.#deps.lookup(name).then(resolve, reject).finally(cancel);
    });
  }
}

/** A fair shuffle (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return result;
}
