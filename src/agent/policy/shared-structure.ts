/**
 * `after`, with every part that equals the same part of `before` replaced by that very object; `before` itself if all
 * is equal. Those who come later then see by identity what an edit did not touch.
 * @param after plain data, as `before`: objects, arrays, text, numbers, booleans, null
 */
export function shareStructure<T>(before: unknown, after: T): T {
  return shared(before, after) as T;
}

function shared(before: unknown, after: unknown): unknown {
  if (before === after || !isObject(before) || !isObject(after)) return after;
  if (Array.isArray(before) !== Array.isArray(after)) return after;
  const keys = Object.keys(after);
  const keysBefore = Object.keys(before);
  let equal = keys.length === keysBefore.length;
  const parts = keys.map((key, index): [string, unknown] => {
    const own = Object.hasOwn(before, key) ? before[key] : undefined;
    const part = shared(own, after[key]);
    // The order of the keys is part of what is the same.
    equal &&= part === own && key === keysBefore[index];
    return [key, part];
  });
  if (equal) return before;
  return Array.isArray(after) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
}

/** Whether both hold the very same objects, in the same order. */
export function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
