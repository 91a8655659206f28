import { createHash } from 'node:crypto';

export interface AclEntry {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** ZooDefs.Perms. */
const READ = 1;
const ALL = 31;

/** Anyone may do anything: the only ACL that makes sense without credentials (ZooDefs.Ids.OPEN_ACL_UNSAFE). */
export const OPEN_ACL: readonly AclEntry[] = [{ permissions: ALL, scheme: 'world', id: 'anyone' }];

/** Anyone may read, the credentials that made the node may do anything. The server fills in the ids of `auth`. */
export const CREATOR_ACL: readonly AclEntry[] = [
  { permissions: READ, scheme: 'world', id: 'anyone' },
  { permissions: ALL, scheme: 'auth', id: '' },
];

/**
 * Anything, for whoever has these credentials.
 * @param credentials "user:password"; the server knows them as user:base64(sha1("user:password"))
 *   (DigestAuthenticationProvider.generateDigest)
 */
export function fullAccessFor(credentials: string): AclEntry {
  const user = credentials.split(':', 1)[0] ?? '';
  const digest = createHash('sha1').update(credentials).digest('base64');
  return { permissions: ALL, scheme: 'digest', id: `${user}:${digest}` };
}
