import { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { readSmallFile } from './small-file.ts';

const MAX_SECRET_BYTES = 16 * 1024;

/**
 * Resolves "file:/path" or "env:NAME". Files are read at every call, so that a rotated secret is used from the next
 * connection on; one line break at the end is not part of the secret. The secret never appears in the error.
 */
export function resolveSecret(reference: string, env: NodeJS.ProcessEnv = process.env): Result<string, CodedError> {
  if (reference.startsWith('env:')) {
    const value = env[reference.slice('env:'.length)];
    if (value !== undefined && value !== '') return ok(value);
    return err(new CodedError('SECRET_UNREADABLE', `${reference}: the environment has no such variable`));
  }
  const path = reference.replace(/^file:/, '');
  try {
    const bytes = readSmallFile(path, MAX_SECRET_BYTES);
    if (bytes === null) {
      const message = `${reference}: not a regular file of at most ${MAX_SECRET_BYTES} bytes`;
      return err(new CodedError('SECRET_UNREADABLE', message));
    }
    const value = bytes.toString('utf8').replace(/\r?\n$/, '');
    if (value === '') return err(new CodedError('SECRET_UNREADABLE', `${reference}: the file is empty`));
    return ok(value);
  } catch (cause) {
    return err(new CodedError('SECRET_UNREADABLE', `${reference}: cannot be read`, { cause, transient: true }));
  }
}
