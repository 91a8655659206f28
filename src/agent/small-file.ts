import { readFileSync, statSync } from 'node:fs';

/**
 * @returns null = not a regular file of at most `maxBytes`
 * @throws Error when there is none, or it may not be read
 */
export function readSmallFile(path: string, maxBytes: number): Buffer | null {
  // Asked before it is read: a device or a pipe would never end.
  const stat = statSync(path);
  return stat.isFile() && stat.size <= maxBytes ? readFileSync(path) : null;
}
