import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { jsonPieces } from './json-pieces.ts';

/*
 * Files in the state directory. The first line is a header with format, version, time and a sha256 of all else, and
 * blanks up to the length that it may have; the second is the payload, JSON. They are replaced atomically, so that a
 * reader sees the old one or the new one.
 */

export interface StateFileKind {
  /** Such as 'last-known-good'. */
  readonly format: string;
  /** What this program writes; it reads no other. */
  readonly version: number;
}

export interface StateFileContent {
  readonly payload: unknown;
  /** Wall-clock milliseconds at which the file was written. */
  readonly savedAt: number;
}

interface Header {
  readonly format: string;
  readonly version: number;
  readonly savedAt: number;
  readonly bytes: number;
  readonly sha256: string;
}

const MAX_STATE_FILE_BYTES = 256 * 1024 * 1024;

/** Written at once: some hundred records. */
const CHUNK_LENGTH = 64 * 1024;

/**
 * @param payload plain data; its upper levels may hold iterables in place of lists (see `jsonPieces`)
 * @throws the error of the file system, when the file cannot be written in full; the old one then stays
 */
export function writeStateFile(path: string, kind: StateFileKind, payload: unknown, now: number): void {
  const unsigned = { format: kind.format, version: kind.version, savedAt: now };
  const headerLine = (bytes: number, sha256: string): string =>
    JSON.stringify({ ...unsigned, bytes, sha256 } satisfies Header);
  // The header tells of what follows it, so there it is left room, and written last.
  const room = headerLine(MAX_STATE_FILE_BYTES, '0'.repeat(64)).length;
  const start = room + 1;
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    const hash = createHash('sha256');
    let length = 0;
    for (const chunk of chunksOf(jsonPieces(payload))) {
      const bytes = Buffer.from(chunk, 'utf8');
      hash.update(bytes);
      writeAll(file, bytes, start + length);
      length += bytes.length;
    }
    writeAll(file, Buffer.from('\n'), start + length);
    const sha256 = signed(hash, { ...unsigned, bytes: length });
    writeAll(file, Buffer.from(`${headerLine(length, sha256).padEnd(room)}\n`), 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/**
 * Reads a state file back.
 * @returns null when there is none; an error when it is torn, tampered with or of another version. A refused file is
 *   moved aside as `PATH.refused`, so that nothing overwrites the evidence.
 */
export function readStateFile(path: string, kind: StateFileKind): Result<StateFileContent | null, CodedError> {
  const content = look(path, kind);
  if (typeof content !== 'string') return content;
  const aside = `${path}.refused`;
  try {
    renameSync(path, aside);
  } catch (cause) {
    return err(new CodedError('STATE_FILE_CORRUPT', `${path}: ${content}; it could not be moved aside`, { cause }));
  }
  return err(new CodedError('STATE_FILE_CORRUPT', `${path}: ${content}; it was kept as ${aside}`));
}

/** As `readStateFile`, for one who is not the agent that the file belongs to: a file that is refused stays there. */
export function peekStateFile(path: string, kind: StateFileKind): Result<StateFileContent | null, CodedError> {
  const content = look(path, kind);
  if (typeof content !== 'string') return content;
  return err(new CodedError('STATE_FILE_CORRUPT', `${path}: ${content}`));
}

/** What is in the file, or in words why it is refused. */
function look(path: string, kind: StateFileKind): Result<StateFileContent | null, CodedError> | string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ok(null);
    return err(new CodedError('STATE_FILE_CORRUPT', `${path} cannot be read`, { cause: error }));
  }
  const content = parse(bytes, kind);
  return typeof content === 'string' ? content : ok(content);
}

/** The content, or what is wrong in words. */
function parse(bytes: Buffer, kind: StateFileKind): StateFileContent | string {
  if (bytes.length > MAX_STATE_FILE_BYTES) return `${bytes.length} bytes is too large to be ours`;
  const lineEnd = bytes.indexOf(0x0a);
  if (lineEnd < 0) return 'there is no header line';
  const header = parseHeader(bytes.subarray(0, lineEnd));
  if (header === undefined) return 'the header line is not ours';
  if (header.format !== kind.format) return `it is a "${header.format}" file, not a "${kind.format}" file`;
  if (header.version !== kind.version) {
    return `it has format version ${header.version}, this program reads version ${kind.version}`;
  }
  const body = bytes.subarray(lineEnd + 1, lineEnd + 1 + header.bytes);
  if (bytes.length !== lineEnd + 1 + header.bytes + 1) return 'it is torn: its length is not what the header says';
  if (signed(createHash('sha256').update(body), header) !== header.sha256) return 'its checksum does not match';
  return { payload: JSON.parse(body.toString('utf8')) as unknown, savedAt: header.savedAt };
}

function parseHeader(line: Buffer): Header | undefined {
  try {
    const header = JSON.parse(line.toString('utf8')) as Partial<Header> | null;
    const { format, version, savedAt, bytes, sha256 } = header ?? {};
    if (typeof format !== 'string' || typeof version !== 'number' || typeof savedAt !== 'number') return undefined;
    if (typeof bytes !== 'number' || typeof sha256 !== 'string') return undefined;
    return { format, version, savedAt, bytes, sha256 };
  } catch {
    return undefined;
  }
}

/** Over the header's own fields, too: the time decides whether health is fresh enough to be restored. */
function signed(bodyHash: Hash, { format, version, savedAt, bytes }: Omit<Header, 'sha256'>): string {
  return bodyHash.update(JSON.stringify([format, version, savedAt, bytes])).digest('hex');
}

function* chunksOf(pieces: Iterable<string>): Generator<string, void, undefined> {
  let chunk = '';
  for (const piece of pieces) {
    chunk += piece;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function writeAll(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, position + at);
}

/** A rename is only durable once the directory is. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
