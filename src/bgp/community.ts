/** RFC 1997, RFC 3765, RFC 7999 section 5, RFC 8326 section 3. */
const WELL_KNOWN: ReadonlyMap<string, number> = new Map([
  ['graceful-shutdown', 0xffff0000],
  ['blackhole', 0xffff029a],
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['no-export-subconfed', 0xffffff03],
  ['no-peer', 0xffffff04],
]);

/** The three four-octet parts of RFC 8092 section 3. */
export type LargeCommunity = readonly [number, number, number];

/** "65000:100" or a well-known name to its four octets; undefined when it is neither. */
export function parseCommunity(text: string): number | undefined {
  const named = WELL_KNOWN.get(text);
  if (named !== undefined) return named;
  const [high, low, ...rest] = text.split(':').map((part) => parsePart(part, 0xffff));
  if (high === undefined || low === undefined || rest.length > 0) return undefined;
  return high * 0x10000 + low;
}

/** "65000:1:2" to its three numbers. */
export function parseLargeCommunity(text: string): LargeCommunity | undefined {
  const [global, first, second, ...rest] = text.split(':').map((part) => parsePart(part, 0xffffffff));
  if (global === undefined || first === undefined || second === undefined || rest.length > 0) return undefined;
  return [global, first, second];
}

function parsePart(text: string, max: number): number | undefined {
  if (!/^(0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}
