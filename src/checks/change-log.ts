/** Changes that are remembered one by one; of more, nothing is known but that there were many. */
const REMEMBERED = 1_000;

/** The keys of what changed, in order, so that whoever looks now and then need not compare everything. */
export class ChangeLog {
  #keys: string[] = [];
  /** Changes that are not remembered any more. */
  #forgotten = 0;

  /** How many changes there were so far. */
  get mark(): number {
    return this.#forgotten + this.#keys.length;
  }

  note(key: string): void {
    this.#keys.push(key);
    if (this.#keys.length < 2 * REMEMBERED) return;
    this.#keys = this.#keys.slice(REMEMBERED);
    this.#forgotten += REMEMBERED;
  }

  /** What changed since an earlier mark; null = too much to know. */
  since(mark: number): ReadonlySet<string> | null {
    return mark < this.#forgotten ? null : new Set(this.#keys.slice(mark - this.#forgotten));
  }
}
