import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';

/** Values are meant for hand editing; what is larger or deeper than this is a mistake or an attack. */
export const MAX_RECORD_BYTES = 64 * 1024;
export const MAX_RECORD_DEPTH = 16;

export interface JsonProblem {
  readonly found: string;
  readonly allowed: string;
}

/**
 * Parses one strict JSON object. Beyond what JSON.parse refuses: too large, too deep, invalid UTF-8, a byte order
 * mark, a duplicate key (of which JSON.parse would silently lose one value), and "__proto__" as a key.
 */
export function parseRecordJson(
  bytes: Uint8Array,
  maxBytes = MAX_RECORD_BYTES,
): Result<Record<string, unknown>, JsonProblem> {
  if (bytes.length > maxBytes) {
    return err({ found: `${bytes.length} bytes`, allowed: `at most ${maxBytes} bytes` });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return err({ found: 'bytes that are not UTF-8', allowed: 'JSON in UTF-8' });
  }
  if (text.startsWith('\uFEFF')) return err({ found: 'a byte order mark', allowed: 'JSON in UTF-8 without one' });
  const depth = maxDepth(text);
  if (depth > MAX_RECORD_DEPTH) {
    return err({ found: `${depth} levels of nesting`, allowed: `at most ${MAX_RECORD_DEPTH}` });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err({ found: error instanceof Error ? error.message : 'text', allowed: 'strict JSON (no comments)' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return err({ found: Array.isArray(value) ? 'an array' : JSON.stringify(value), allowed: 'a JSON object' });
  }
  const doubled = doubledKey(text);
  if (doubled !== undefined) return err({ found: `the key ${doubled} twice`, allowed: 'each key once' });
  return ok(value as Record<string, unknown>);
}

/** Strings, and the six structural characters; everything else cannot change the nesting. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/** Counts brackets outside strings: a guess that needs no valid JSON, so it is safe to make before parsing. */
function maxDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') deepest = Math.max(deepest, ++depth);
    else if (token === '}' || token === ']') depth--;
  }
  return deepest;
}

/** The first key, as written, that an object of this valid JSON text holds twice, or that is "__proto__". */
function doubledKey(text: string): string | undefined {
  const open: (Set<string> | null)[] = [];
  let lastString = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token.startsWith('"')) lastString = token;
    else if (token === ':') {
      const keys = open.at(-1);
      const key: unknown = JSON.parse(lastString);
      if (keys === null || keys === undefined || typeof key !== 'string') continue;
      if (keys.has(key) || key === '__proto__') return lastString;
      keys.add(key);
    }
  }
  return undefined;
}
