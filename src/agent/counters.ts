/** What the agent counts over its life; plain numbers, read by the metrics. */
export interface Counters {
  passes: number;
  /** Kernel operations that were applied. */
  operations: number;
  /** Kernel operations that were refused. */
  refusals: number;
  kernelReads: number;
}

export function newCounters(): Counters {
  return { passes: 0, operations: 0, refusals: 0, kernelReads: 0 };
}
