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
  const { depth, members, isAscii } = outline(bytes);
  const text = isAscii ? latin1(bytes) : decodeUtf8(bytes);
  if (text === undefined) return err({ found: 'bytes that are not UTF-8', allowed: 'JSON in UTF-8' });
  if (text.startsWith('\uFEFF')) return err({ found: 'a byte order mark', allowed: 'JSON in UTF-8 without one' });
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
    const key = doubledKey(text) ?? '""';
    if (JSON.parse(key) === '__proto__') return err({ found: `the key ${key}`, allowed: 'any other key' });
    return err({ found: `the key ${key} twice`, allowed: 'each key once' });
  }
  return ok(value as Record<string, unknown>);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A record is copied here to be read as text: to make a Buffer of it instead would cost twice as much. */
const scratch = Buffer.allocUnsafeSlow(MAX_RECORD_BYTES);

function latin1(bytes: Uint8Array): string {
  if (bytes.length > scratch.length) return Buffer.from(bytes).toString('latin1');
  scratch.set(bytes);
  return scratch.toString('latin1', 0, bytes.length);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

interface Outline {
  readonly depth: number;
  readonly members: number;
  /** Then the bytes are the text, and need no decoder. */
  readonly isAscii: boolean;
}

/**
 * How deep a text nests, and how many members its objects have together: brackets and colons outside strings. A guess
 * that needs no valid JSON, so it is safe to make before parsing; none of these bytes is ever part of another
 * character in UTF-8.
 */
function outline(bytes: Uint8Array): Outline {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let inString = false;
  let seen = 0;
  for (let at = 0; at < bytes.length; at++) {
    const unit = bytes[at] ?? 0;
    seen |= unit;
    if (inString) {
      if (unit === BACKSLASH) seen |= bytes[++at] ?? 0;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === COLON) members++;
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) depth--;
  }
  return { depth: deepest, members, isAscii: seen < 0x80 };
}

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** "__proto__" is not counted, so that it is found as if it were doubled. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) count += countMembers(item);
    return count;
  }
  const members = value as Readonly<Record<string, unknown>>;
  // What JSON.parse makes inherits nothing that can be enumerated.
  for (const key in members) {
    if (key !== '__proto__') count++;
    count += countMembers(members[key]);
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
