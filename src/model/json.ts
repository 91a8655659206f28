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
    text = utf8.decode(bytes);
  } catch {
    return err({ found: 'bytes that are not UTF-8', allowed: 'JSON in UTF-8' });
  }
  if (text.startsWith('\uFEFF')) return err({ found: 'a byte order mark', allowed: 'JSON in UTF-8 without one' });
  const { depth, members } = outline(text);
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
  // JSON.parse keeps the last of several equal keys: then fewer are left than were written.
  if (countMembers(value) !== members) {
    return err({ found: `the key ${doubledKey(text) ?? ''} twice`, allowed: 'each key once' });
  }
  return ok(value as Record<string, unknown>);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * How deep a text nests, and how many members its objects have together: brackets and colons outside strings. A guess
 * that needs no valid JSON, so it is safe to make before parsing.
 */
function outline(text: string): { readonly depth: number; readonly members: number } {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === BACKSLASH) at++;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === COLON) members++;
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) depth--;
  }
  return { depth: deepest, members };
}

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** "__proto__" is not counted, so that it is refused as if it were doubled. */
function countMembers(value: object): number {
  let count = 0;
  const isList = Array.isArray(value);
  for (const [key, inner] of Object.entries(value) as [string, unknown][]) {
    if (!isList && key !== '__proto__') count++;
    if (typeof inner === 'object' && inner !== null) count += countMembers(inner);
  }
  return count;
}

/** Strings, and the six structural characters. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

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
