/** What ZooKeeper's PathUtils.validatePath refuses: control characters, surrogates, private use, specials. */
const UNHOLDABLE = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

/** Whether ZooKeeper can hold such a path. Without the slash at its start: 'config/vips/web'. */
export function isRelativeZnodePath(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !UNHOLDABLE.test(path);
}
