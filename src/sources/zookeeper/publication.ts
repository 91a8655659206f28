/**
 * What to do about one of our ephemeral records, given what we want and what we know: pure, so that every case can
 * be tested in a table.
 */
import type { Stat } from './calls.ts';
import type { MultiOp } from './multi.ts';
import { CREATE, formatSession } from './protocol.ts';
import type { AclEntry } from './acl.ts';

/** One of our records. `bytes` is null when somebody else has written it, or the answer to our own write was lost. */
export interface Ours {
  readonly kind: 'ours';
  readonly bytes: Uint8Array | null;
  readonly version: number;
}

/** What we believe the store holds at a path. Absence of this value: nothing. */
export type Known =
  | Ours
  /** A session that was ours before holds it, and will take it along when it ends. */
  | { readonly kind: 'leftover'; readonly version: number }
  /** Somebody else's session; '0x0' for a node that is not ephemeral. */
  | { readonly kind: 'foreign'; readonly session: string }
  /** The outcome of a write was lost, or the server contradicted us; `was`: what was ours there before. */
  | { readonly kind: 'unknown'; readonly was: Ours | null };

export type Intent =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'look' }
  | { readonly kind: 'refused'; readonly session: string }
  | { readonly kind: 'write'; readonly ops: readonly MultiOp[]; readonly after: 'present' | 'absent' };

const NOTHING: Intent = { kind: 'nothing' };

/**
 * @param path absolute
 * @param wanted undefined when the record is to go
 */
export function intentFor(
  path: string,
  wanted: Uint8Array | undefined,
  known: Known | undefined,
  acl: readonly AclEntry[],
): Intent {
  const create = (bytes: Uint8Array): MultiOp => ({ kind: 'create', path, bytes, acl, flag: CREATE.ephemeral });
  switch (known?.kind) {
    case undefined:
      return wanted === undefined ? NOTHING : { kind: 'write', ops: [create(wanted)], after: 'present' };
    case 'unknown':
      return { kind: 'look' };
    case 'foreign':
      return wanted === undefined ? NOTHING : { kind: 'refused', session: known.session };
    case 'leftover': {
      // Versions guard against a third party; one multi leaves no moment in which the record is absent.
      const remove: MultiOp = { kind: 'delete', path, version: known.version };
      if (wanted === undefined) return { kind: 'write', ops: [remove], after: 'absent' };
      return { kind: 'write', ops: [remove, create(wanted)], after: 'present' };
    }
    case 'ours': {
      const { version } = known;
      if (wanted === undefined) return { kind: 'write', ops: [{ kind: 'delete', path, version }], after: 'absent' };
      if (known.bytes !== null && Buffer.compare(wanted, known.bytes) === 0) return NOTHING;
      return { kind: 'write', ops: [{ kind: 'set', path, bytes: wanted, version }], after: 'present' };
    }
  }
}

/**
 * Reads a node's owner as what it means to us. What is in it need not be read: while its version is the one that we
 * left it at, it holds what we wrote.
 * @param stat null = there is no node
 * @param before what we believed until now
 * @param isFormer the sessions that were ours before
 */
export function knownFrom(
  stat: Stat | null,
  before: Known | undefined,
  current: bigint,
  isFormer: (session: string) => boolean,
): Known | undefined {
  if (stat === null) return undefined;
  const { ephemeralOwner, version } = stat;
  if (ephemeralOwner === current) {
    const left = oursIn(before);
    return { kind: 'ours', bytes: left?.version === version ? left.bytes : null, version };
  }
  const session = formatSession(ephemeralOwner);
  return ephemeralOwner !== 0n && isFormer(session) ? { kind: 'leftover', version } : { kind: 'foreign', session };
}

/** The same belief, no longer relied on. */
export function doubted(known: Known | undefined): Known {
  return { kind: 'unknown', was: oursIn(known) };
}

function oursIn(known: Known | undefined): Ours | null {
  if (known?.kind === 'ours') return known;
  return known?.kind === 'unknown' ? known.was : null;
}

export interface BatchLimits {
  readonly maxPaths: number;
  readonly maxBytes: number;
}

/** Cuts paths into batches by count and by the bytes that they carry; a path that is too large alone goes alone. */
export function batchesOf(
  paths: readonly string[],
  sizeOf: (path: string) => number,
  limits: BatchLimits,
): readonly (readonly string[])[] {
  const batches: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const path of paths) {
    const size = sizeOf(path) + path.length;
    if (current.length > 0 && (current.length >= limits.maxPaths || bytes + size > limits.maxBytes)) {
      batches.push(current);
      current = [];
      bytes = 0;
    }
    current.push(path);
    bytes += size;
  }
  if (current.length > 0) batches.push(current);
  return batches;
}
