import { CodedError, describeError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';

/** What the file system says (errno names of errno(3)), in our words. */
const TABLE: Readonly<Record<string, { readonly code: ErrorCode; readonly transient?: true }>> = {
  ENOENT: { code: 'STORE_NOT_FOUND' },
  ENOTDIR: { code: 'STORE_NOT_FOUND' },
  EACCES: { code: 'STORE_FORBIDDEN' },
  EPERM: { code: 'STORE_FORBIDDEN' },
  EROFS: { code: 'STORE_FORBIDDEN' },
  ELOOP: { code: 'STORE_FORBIDDEN' },
  EEXIST: { code: 'STORE_CONFLICT' },
  EISDIR: { code: 'STORE_CONFLICT' },
  ENOTEMPTY: { code: 'STORE_CONFLICT' },
  ENAMETOOLONG: { code: 'STORE_TOO_LARGE' },
  EFBIG: { code: 'STORE_TOO_LARGE' },
  ENOSPC: { code: 'STORE_TOO_LARGE', transient: true },
  EDQUOT: { code: 'STORE_TOO_LARGE', transient: true },
  EMFILE: { code: 'STORE_UNREACHABLE', transient: true },
  ENFILE: { code: 'STORE_UNREACHABLE', transient: true },
  EIO: { code: 'STORE_UNREACHABLE', transient: true },
  ESTALE: { code: 'STORE_UNREACHABLE', transient: true },
};

export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

export function fileError(error: unknown, doing: string): CodedError {
  if (error instanceof CodedError) return error;
  const row = TABLE[errnoOf(error) ?? ''];
  return new CodedError(row?.code ?? 'STORE_PROTOCOL', `${doing}: ${describeError(error)}`, {
    transient: row?.transient ?? false,
  });
}
