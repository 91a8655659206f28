import type { VerdictChanges } from './port.ts';

/** Changes that are remembered one by one; of more, nothing is known but that there were many. */
const REMEMBERED = 1_000;

/** The keys of what changed, in order, so that whoever looks now and then need not compare everything. */
export class ChangeLog {
  #keys: string[] = [];
  /** Changes that are not remembered any more. */
  #forgotten = 0;

  note(key: string): void {
    this.#keys.push(key);
    if (this.#keys.length < 2 * REMEMBERED) return;
    this.#keys = this.#keys.slice(REMEMBERED);
    this.#forgotten += REMEMBERED;
  }

  /** @param since the mark of an earlier answer, null = there was none */
  changes(since: number | null): VerdictChanges {
    const known = since !== null && since >= this.#forgotten;
    return {
      mark: this.#forgotten + this.#keys.length,
      keys: known ? new Set(this.#keys.slice(since - this.#forgotten)) : null,
    };
  }
}
