import { Coalescer } from '../../src/core/coalescer.ts';
import type { Source } from '../../src/sources/source.ts';
import { eventually } from './eventually.ts';

/**
 * An agent that looks only when it is poked: it reads after every poke and never otherwise, so whatever it has seen,
 * a poke has told it of.
 */
export class PokedReader {
  readonly #source: Source;
  #seen = new Map<string, string>();
  readonly #readings = new Coalescer(
    () => this.#read(),
    (error) => {
      throw error;
    },
  );

  constructor(source: Source) {
    this.#source = source;
    source.onChange(this.#readings.poke);
  }

  get(path: string): string | undefined {
    return this.#seen.get(path);
  }

  get size(): number {
    return this.#seen.size;
  }

  async sees(path: string, text: string, timeoutMs = 10_000): Promise<void> {
    await eventually(`a poke tells of ${path} = ${text.slice(0, 40)}`, () => this.get(path) === text, { timeoutMs });
  }

  /** Resolves once every poke so far has been followed. */
  async idle(): Promise<void> {
    await this.#readings.idle();
  }

  async #read(): Promise<void> {
    const read = await this.#source.snapshot();
    if (!read.ok) return;
    this.#seen = new Map([...read.value.records].map(([path, { bytes }]) => [path, Buffer.from(bytes).toString()]));
  }
}
