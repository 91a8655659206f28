import type { Decoded } from './record-set.ts';
import type { RealRecord } from './records/real.ts';

export type Reals = ReadonlyMap<string, Decoded<RealRecord>>;

/**
 * Gathers the valid reals of each service, by name. A service whose reals are the very same as before, in the same
 * order, has the very same map: an edit changes one of ten thousand, and maps made anew for all of them are more garbage
 * than all else that an edit leaves.
 */
export class RealTable {
  readonly #before: ReadonlyMap<string, Reals>;
  readonly #gathered = new Map<string, GatheredReals>();

  constructor(before: ReadonlyMap<string, Reals>) {
    this.#before = before;
  }

  add(service: string, real: Decoded<RealRecord>): void {
    let reals = this.#gathered.get(service);
    if (reals === undefined) {
      reals = new GatheredReals(this.#before.get(service) ?? new Map());
      this.#gathered.set(service, reals);
    }
    reals.add(real);
  }

  /** By service. */
  finish(): Map<string, Reals> {
    return new Map(Array.from(this.#gathered, ([service, reals]) => [service, reals.finish()]));
  }
}

class GatheredReals {
  readonly #before: Reals;
  /** Of those before, what has not come yet. */
  readonly #rest: Iterator<Decoded<RealRecord>>;
  /** So many have come that are the first of those before. */
  #same = 0;
  /** All that have come; null = no others than those. */
  #fresh: Map<string, Decoded<RealRecord>> | null = null;

  constructor(before: Reals) {
    this.#before = before;
    this.#rest = before.values();
  }

  add(real: Decoded<RealRecord>): void {
    if (this.#fresh === null) {
      if (this.#rest.next().value === real) {
        this.#same++;
        return;
      }
      this.#fresh = this.#firstOnes();
    }
    this.#fresh.set(real.name, real);
  }

  finish(): Reals {
    if (this.#fresh !== null) return this.#fresh;
    return this.#same === this.#before.size ? this.#before : this.#firstOnes();
  }

  #firstOnes(): Map<string, Decoded<RealRecord>> {
    return new Map([...this.#before].slice(0, this.#same));
  }
}
