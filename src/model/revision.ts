import { createHash } from 'node:crypto';

/**
 * The revision of a configuration: sha256 over its records in order of their paths, as length-prefixed path and
 * bytes. Drains and approvals do not count: they are wishes about a configuration, not part of it. Neither do folders
 * (empty values): the folder that an approval lies in must not change the revision that it approves.
 * @returns "sha256:" and 64 hexadecimal digits
 */
export function revisionOf(records: Iterable<{ readonly path: string; readonly bytes: Uint8Array }>): string {
  const counted = Array.from(records).filter(
    ({ path, bytes }) =>
      bytes.length > 0 && !path.startsWith('config/drains/') && !path.startsWith('config/approvals/'),
  );
  counted.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const hash = createHash('sha256');
  const lengths = new DataView(new ArrayBuffer(8));
  for (const { path, bytes } of counted) {
    const pathBytes = Buffer.from(path, 'utf8');
    lengths.setUint32(0, pathBytes.length);
    lengths.setUint32(4, bytes.length);
    hash.update(new Uint8Array(lengths.buffer)).update(pathBytes).update(bytes);
  }
  return `sha256:${hash.digest('hex')}`;
}
