import { parseRecordJson } from './json.ts';
import type { RawRecord } from './record-set.ts';
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

export const DRAINS = 'config/drains/';

/** Targets by name of the drain; of a record that is not valid, the target is ''. */
export function drainTargets(records: ReadonlyMap<string, Pick<RawRecord, 'bytes'>>): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  for (const [path, { bytes }] of records) {
    if (!path.startsWith(DRAINS) || bytes.length === 0) continue;
    const json = parseRecordJson(bytes);
    const target = json.ok ? json.value['target'] : undefined;
    targets.set(path.slice(DRAINS.length), typeof target === 'string' ? target : '');
  }
  return targets;
}
