const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A number and a unit, nothing else: "250ms", "2s", "1.5m", "6h", "7d". */
export const DURATION_PATTERN = '^(0|[1-9][0-9]{0,8})(\\.[0-9]{1,3})?(ms|s|m|h|d)$';

const durationRegExp = new RegExp(DURATION_PATTERN);

export function isDuration(text: string): boolean {
  return durationRegExp.test(text);
}

/**
 * Milliseconds, rounded to whole ones, of a duration that the schema has accepted.
 * @throws RangeError for any other text
 */
export function durationMs(text: string): number {
  const match = durationRegExp.exec(text);
  if (match === null) throw new RangeError(`not a duration: ${text}`);
  const unit = match[3] as keyof typeof UNIT_MS;
  return Math.round(Number(`${match[1] ?? '0'}${match[2] ?? ''}`) * UNIT_MS[unit]);
}
