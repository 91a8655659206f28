/** Tells the story: each step prints what it asserts and how long that took. */
export class Narrator {
  #passed = 0;
  readonly #started = performance.now();

  say(text: string): void {
    process.stdout.write(`        ${text}\n`);
  }

  /** Runs one step; what it returns is told as its outcome. A step that throws ends the story. */
  async step(title: string, work: () => Promise<string>): Promise<void> {
    const number = String(this.#passed + 1).padStart(2);
    process.stdout.write(`\n[step ${number}] ${title}\n`);
    const started = performance.now();
    try {
      const outcome = await work();
      this.#passed++;
      process.stdout.write(`        ok after ${seconds(performance.now() - started)}: ${outcome}\n`);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`step ${number.trim()} failed after ${seconds(performance.now() - started)}: ${title}\n${text}`, {
        cause: error,
      });
    }
  }

  end(): void {
    process.stdout.write(`\nthe story took ${seconds(performance.now() - this.#started)}\n`);
    process.stdout.write(`demo: ${this.#passed} steps passed\n`);
  }
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
