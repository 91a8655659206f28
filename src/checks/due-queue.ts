/** Something that is due at a time. The queue keeps its place in the two fields. */
export interface Due {
  /** Monotonic milliseconds. Changed only while not queued. */
  dueAt: number;
  /** Place in the queue, -1 = not queued. Kept by the queue. */
  slot: number;
}

/** A binary heap on `dueAt`: the earliest first, and anything can be taken out early. */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  first(): T | undefined {
    return this.#heap[0];
  }

  push(item: T): void {
    if (item.slot !== -1) throw new RangeError('queued already');
    this.#heap.push(item);
    this.#up(item, this.#heap.length - 1);
  }

  /** Takes an item out; does nothing if it is not queued. */
  remove(item: T): void {
    const { slot } = item;
    if (slot === -1) return;
    item.slot = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#up(last, slot);
    this.#down(last, last.slot);
  }

  #up(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#heap[parentAt];
      if (parent === undefined || parent.dueAt <= item.dueAt) break;
      this.#place(parent, at);
      at = parentAt;
    }
    this.#place(item, at);
  }

  #down(item: T, from: number): void {
    let at = from;
    for (;;) {
      const leftAt = 2 * at + 1;
      const left = this.#heap[leftAt];
      if (left === undefined) break;
      const right = this.#heap[leftAt + 1];
      const [child, childAt] = right !== undefined && right.dueAt < left.dueAt ? [right, leftAt + 1] : [left, leftAt];
      if (child.dueAt >= item.dueAt) break;
      this.#place(child, at);
      at = childAt;
    }
    this.#place(item, at);
  }

  #place(item: T, at: number): void {
    this.#heap[at] = item;
    item.slot = at;
  }
}
