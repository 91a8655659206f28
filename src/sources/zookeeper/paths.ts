import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { isRelativeZnodePath } from '../../model/znode-path.ts';

/** Checks a path relative to the root: 'config/vips/web'. */
export function checkRelativePath(path: string): Result<string, CodedError> {
  if (isRelativeZnodePath(path)) return ok(path);
  return err(new CodedError('STORE_PROTOCOL', `${JSON.stringify(path)} is not a path that ZooKeeper can hold`));
}

/** Checks and tidies a root: '/vipkeeper', '/prod/edge/vipkeeper'. '/' becomes the empty string. */
export function checkRoot(root: string): Result<string, CodedError> {
  const relative = root.replace(/^\/+|\/+$/g, '');
  if (relative === '') return ok('');
  const checked = checkRelativePath(relative);
  return checked.ok ? ok(`/${relative}`) : checked;
}

/** The folders above a relative path, the outermost first: 'a/b/c' gives 'a', 'a/b'. */
export function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at));
  return folders;
}
