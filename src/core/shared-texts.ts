/** How many different ones are known at a time. */
const MAX_TEXTS = 1_000;

/** Equal texts as one: what ten thousand reals say in the same words is kept once. Full, it begins anew. */
export class SharedTexts {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_TEXTS) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}
