import type { DestinationKey, ServiceKey } from '../../ipvs/dataplane.ts';
import type { Effective } from './effective-state.ts';
import type { LeavingEntry } from './journal.ts';

/** Which real an entry of the kernel is, also while it is on its way out. */
export class EntryNames {
  readonly #effective: Effective;
  readonly #leaving = new Map<string, string>();

  constructor(effective: Effective, leaving: readonly LeavingEntry[]) {
    this.#effective = effective;
    for (const { key, destination, real } of leaving)
      if (real !== null) this.#leaving.set(`${key} ${destination}`, real);
  }

  /** Name of the real's record; null = the sorry server, or not known. */
  real(key: ServiceKey, destination: DestinationKey): string | null {
    const wanted = this.#effective.kernel.get(key);
    const known = wanted?.destinations.get(destination) ?? wanted?.out.get(destination);
    if (known !== undefined) return known.real;
    return this.#leaving.size === 0 ? null : (this.#leaving.get(`${key} ${destination}`) ?? null);
  }
}
