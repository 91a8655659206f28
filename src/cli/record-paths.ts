import { CliFailure } from './io.ts';

/**
 * The path of a record as people write it: 'config/vips/web', with a slash at the end of a folder, or as the store's
 * own tools show it, '/vipkeeper/config/vips/web'.
 * @returns the path under the root
 */
export function recordPath(text: string, root: string): string {
  const withoutRoot = text.startsWith(`${root}/`) ? text.slice(root.length + 1) : text;
  const path = withoutRoot.replace(/\/+$/, '');
  const parts = path.split('/');
  const [top] = parts;
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new CliFailure('usage', `${JSON.stringify(text)} is not a path; write it as in "config/vips/web"`);
  }
  if (top !== 'config' && top !== 'state') {
    throw new CliFailure('usage', `${JSON.stringify(text)}: paths start with config/ or state/`);
  }
  return path;
}

/** As `recordPath`, for commands that write: what is under state/ belongs to the agents. */
export function writablePath(text: string, root: string): string {
  const path = recordPath(text, root);
  if (path === 'config' || path.startsWith('config/')) return path;
  throw new CliFailure('usage', `${path}: agents write what is under state/; operators write under config/`);
}
