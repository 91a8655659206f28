import type { Unsubscribe } from '../core/ports.ts';

/** Who wants to be told to look again. One listener that throws does not keep the others from hearing. */
export class Listeners {
  readonly #onError: (error: unknown) => void;
  readonly #pokes = new Set<{ readonly poke: () => void }>();

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(poke: () => void): Unsubscribe {
    const entry = { poke };
    this.#pokes.add(entry);
    return () => void this.#pokes.delete(entry);
  }

  readonly poke = (): void => {
    for (const entry of [...this.#pokes]) {
      try {
        entry.poke();
      } catch (error) {
        this.#onError(error);
      }
    }
  };
}
