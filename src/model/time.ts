/** ISO 8601 in UTC, from wall-clock milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/**
 * Wall-clock milliseconds of a time that a schema has accepted.
 * @throws RangeError for any other text
 */
export function timeMs(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new RangeError(`not a time: ${text}`);
  return ms;
}
