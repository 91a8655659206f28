/**
 * Runs jobs one after another, in the order in which they were asked for; one that fails does not hold up the next.
 * How many may wait is the callers' business.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(job: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(job);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
