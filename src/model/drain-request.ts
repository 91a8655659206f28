import type { DrainRecord } from './records/drain.ts';

const MAX_NAME = 58;

/**
 * A free name for the record of a new drain, after its target: "web.a" for "web/a", "web.a-2" if that is taken.
 * @param taken targets by name of the drains that there are
 */
export function drainName(target: string, taken: ReadonlyMap<string, string>): string {
  const plain = target.replaceAll(/[/:]/g, '.').slice(0, MAX_NAME);
  for (let number = 1; ; number++) {
    const name = number === 1 ? plain : `${plain}-${number}`;
    if (!taken.has(name)) return name;
  }
}

/** The record as it is written: what is the default is left out. */
export function drainValue(request: {
  readonly target: string;
  readonly by: string;
  readonly why: string;
  readonly until: string | null;
  readonly keep: boolean;
}): Omit<DrainRecord, 'onExpiry'> & { onExpiry?: DrainRecord['onExpiry'] } {
  const { target, by, why, until, keep } = request;
  return { target, by, why, ...(until === null ? {} : { until }), ...(keep ? { onExpiry: 'keep' as const } : {}) };
}
