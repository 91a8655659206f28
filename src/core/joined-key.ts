/**
 * The key that names something by its parts, "10.0.0.1|80". In one piece: what a template makes of parts is kept as a
 * chain of them, at twice the size, and there are several keys for each of ten thousand reals.
 */
export function joinedKey(...parts: readonly (string | number)[]): string {
  return parts.join('|');
}
