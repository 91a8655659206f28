import type { DataplaneState } from '../../ipvs/dataplane.ts';
import type { PreparedService } from './prepared.ts';

/** The largest weight of each real in the kernel, over the kernel services of its service; looked up only if asked. */
export class KernelWeights {
  readonly #prepared: PreparedService;
  readonly #actual: DataplaneState | null;
  #weights: Map<string, number> | null = null;

  constructor(prepared: PreparedService, actual: DataplaneState | null) {
    this.#prepared = prepared;
    this.#actual = actual;
  }

  /** undefined = the kernel does not have it; null = it could not be read. */
  of(real: string): number | undefined | null {
    if (this.#actual === null) return null;
    this.#weights ??= this.#look();
    return this.#weights.get(real);
  }

  #look(): Map<string, number> {
    const weights = new Map<string, number>();
    for (const { key, destinations } of this.#prepared.kernel) {
      const there = this.#actual?.get(key)?.destinations;
      if (there === undefined) continue;
      for (const { real, key: destinationKey } of destinations) {
        const weight = there.get(destinationKey)?.destination.weight;
        if (real !== null && weight !== undefined) weights.set(real, Math.max(weights.get(real) ?? 0, weight));
      }
    }
    return weights;
  }
}

/** After a restart that knows nothing: the sorry server, unless it is one of the reals, has a weight in the kernel. */
export function sorryHasTraffic({ kernel }: PreparedService, actual: DataplaneState | null): boolean {
  return kernel.some(({ key, sorry, destinations }) => {
    if (sorry === null || destinations.some((destination) => destination.key === sorry.key)) return false;
    return (actual?.get(key)?.destinations.get(sorry.key)?.destination.weight ?? 0) > 0;
  });
}
