/** Plain data is taken apart to this depth; what lies deeper (one service, one record, one verdict) is one piece. */
const DEPTH = 3;

/**
 * The JSON text of plain data, in pieces: ten thousand reals are megabytes, which need not stand in memory as a whole.
 * Down to that depth, whatever is iterable is written as a list, also what makes its items only now.
 */
export function* jsonPieces(value: unknown, depth = DEPTH): Generator<string, void, undefined> {
  if (depth === 0 || typeof value !== 'object' || value === null) {
    yield JSON.stringify(value ?? null);
    return;
  }
  const isList = isIterable(value);
  let separator = '';
  yield isList ? '[' : '{';
  for (const [name, inner] of isList ? unnamed(value) : Object.entries(value)) {
    if (name !== null && inner === undefined) continue;
    yield name === null ? separator : `${separator}${JSON.stringify(name)}:`;
    yield* jsonPieces(inner, depth - 1);
    separator = ',';
  }
  yield isList ? ']' : '}';
}

function* unnamed(items: Iterable<unknown>): Generator<[null, unknown], void, undefined> {
  for (const item of items) yield [null, item];
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}
