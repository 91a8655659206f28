import { join } from 'node:path';
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';

export const RECORD_SUFFIX = '.json';

/** Our own files lie among the records under names that no record can have: what begins with a dot is not read. */
export const STATE_FOLDER = 'state';
export const SESSIONS_FOLDER = 'state/.sessions';
export const CREATION_INDEX = 'state/.created.json';
export const WRITE_LOCK = '.lock';

/** Longest file name of the usual file systems (NAME_MAX of limits.h), less our temporary prefix and the suffix. */
const MAX_SEGMENT_BYTES = 200;

export function isHidden(name: string): boolean {
  return name.startsWith('.');
}

/** Where a record lies, without its suffix: the folder of what is below it. */
export function locate(root: string, path: string): Result<string, CodedError> {
  for (const segment of path.split('/')) {
    const fits = segment !== '' && !isHidden(segment) && Buffer.byteLength(segment) <= MAX_SEGMENT_BYTES;
    if (!fits || segment.includes('\0')) {
      return err(new CodedError('STORE_FORBIDDEN', `no record can be at ${JSON.stringify(path)} in a directory`));
    }
  }
  return ok(join(root, path));
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
