/**
 * Runs jobs one after another, in the order in which they were asked for; one that fails does not hold up the next.
 * How many may wait is the callers' business.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  run<T>(job: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(job);
    // Without what came of it: that may be large, and the next turn may be long in coming.
    this.#last = mine.then(nothing, nothing);
    return mine;
  }
}

function nothing(): void {
  /* whoever asked has it */
}
