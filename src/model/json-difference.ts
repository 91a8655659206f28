/** One field that is not the same in two JSON values; undefined = there is no such field. */
export interface FieldDifference {
  /** Dotted, as in problems: 'health.floor'; '' = the value as a whole. */
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

/**
 * Where two JSON values differ. Objects are compared field by field, in whatever order they name them; a list is a
 * value of its own, because its places have no names.
 */
export function jsonDifferences(before: unknown, after: unknown, field = ''): readonly FieldDifference[] {
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => {
      return jsonDifferences(memberOf(before, name), memberOf(after, name), field === '' ? name : `${field}.${name}`);
    });
  }
  if (Array.isArray(before) && Array.isArray(after) && sameLists(before, after)) return [];
  return before === after ? [] : [{ field, before, after }];
}

function sameLists(before: readonly unknown[], after: readonly unknown[]): boolean {
  return before.length === after.length && before.every((item, at) => jsonDifferences(item, after[at]).length === 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Own fields only: "constructor" may be one. */
function memberOf(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
