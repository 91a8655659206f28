/** @param share 0.5 = the median, 0.99 = the 99th percentile (nearest rank) */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export interface Spent {
  readonly wallMs: number;
  /** User and system time of this whole process, its other threads included. */
  readonly cpuMs: number;
}

export async function timed<T>(work: () => T | Promise<T>): Promise<Spent & { readonly result: T }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1_000, result };
}
