/** From what an operator wants written, and what the store holds now, to the operations of one multi: pure. */
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { WriteOp } from '../source.ts';
import type { NodeData } from './calls.ts';
import type { MultiOp } from './multi.ts';
import { foldersAbove } from './paths.ts';
import { ANY_VERSION, CREATE } from './protocol.ts';
import type { AclEntry } from './acl.ts';

const EMPTY = new Uint8Array(0);

/** Nodes by path relative to the root; null: looked for, and not there. The root itself is ''. */
export type NodesByPath = ReadonlyMap<string, NodeData | null>;

/** Every path whose node must be known before a write can be planned: the records and the folders above them. */
export function pathsToLookAt(ops: readonly WriteOp[]): string[] {
  return [...new Set(ops.flatMap((op) => [...foldersAbove(op.path), op.path]))];
}

export interface WriteSurroundings {
  /** Absolute; '' for a root of '/'. */
  readonly root: string;
  /** The folders above and including the root that do not exist yet, absolute, outermost first. */
  readonly missingAbove: readonly string[];
  readonly nodes: NodesByPath;
  /** Everything below the records that are to be deleted, by path: data length 0 means a folder. */
  readonly below: NodesByPath;
  readonly acl: readonly AclEntry[];
  readonly stateAcl: readonly AclEntry[];
}

/** Where agents write. Whoever makes the root makes it, too, since agents may not be allowed to. */
const STATE = 'state';

/**
 * `modified` of a record is its mzxid, while ZooKeeper's multi compares versions: the version that belongs to the
 * expected mzxid goes into the multi, so a change that comes between our look and the multi is a conflict, too.
 */
export function planWrite(ops: readonly WriteOp[], at: WriteSurroundings): Result<readonly MultiOp[], CodedError> {
  const plan: MultiOp[] = at.missingAbove.map((path) => folder(path, at.acl));
  const made = new Set<string>();
  if (at.missingAbove.includes(at.root)) {
    plan.push(folder(`${at.root}/${STATE}`, at.stateAcl));
    made.add(STATE);
  }
  const deleted = new Set(ops.filter((op) => op.kind === 'delete').map((op) => op.path));
  const deletions: { readonly path: string; readonly op: MultiOp }[] = [];
  for (const op of ops) {
    const node = at.nodes.get(op.path) ?? null;
    const conflict = conflictOf(op, node);
    if (conflict !== null) return err(conflict);
    const path = `${at.root}/${op.path}`;
    if (op.kind === 'put') {
      for (const above of foldersAbove(op.path)) {
        if (made.has(above) || (at.nodes.get(above) ?? null) !== null) continue;
        made.add(above);
        plan.push(folder(`${at.root}/${above}`, at.acl));
      }
      if (node !== null) plan.push({ kind: 'set', path, bytes: op.bytes, version: versionFor(op, node) });
      else if (made.has(op.path)) plan.push({ kind: 'set', path, bytes: op.bytes, version: ANY_VERSION });
      else plan.push({ kind: 'create', path, bytes: op.bytes, acl: at.acl, flag: CREATE.persistent });
      made.add(op.path);
    } else if (node !== null) {
      deletions.push(...deletionOf(op.path, versionFor(op, node), at, deleted, ops));
    }
  }
  deletions.sort((a, b) => depth(b.path) - depth(a.path));
  const seen = new Set<string>();
  for (const { path, op } of deletions) {
    if (!seen.has(path)) plan.push(op);
    seen.add(path);
  }
  return ok(plan);
}

function folder(path: string, acl: readonly AclEntry[]): MultiOp {
  return { kind: 'create', path, bytes: EMPTY, acl, flag: CREATE.persistent };
}

function depth(path: string): number {
  return path.split('/').length;
}

function versionFor(op: WriteOp, node: NodeData): number {
  return op.expected === undefined ? ANY_VERSION : node.stat.version;
}

function conflictOf(op: WriteOp, node: NodeData | null): CodedError | null {
  if (op.kind === 'delete' && node === null) return new CodedError('STORE_NOT_FOUND', `there is no ${op.path}`);
  if (op.expected === undefined) return null;
  if (op.expected === null) {
    // An empty node is a folder, and a folder is no record.
    if (node === null || node.bytes.length === 0) return null;
    return new CodedError('STORE_CONFLICT', `${op.path} exists already`);
  }
  if (node === null) return new CodedError('STORE_CONFLICT', `${op.path} was deleted meanwhile`);
  if (node.stat.mzxid === op.expected) return null;
  const seen = `${node.stat.mzxid}, expected ${op.expected}`;
  return new CodedError('STORE_CONFLICT', `${op.path} was changed meanwhile (revision ${seen})`);
}

/**
 * ZooKeeper deletes no node with children. Empty folders below a record go with it; where records stay below it, the
 * node is emptied instead, which makes it a folder: the record is gone, as in a store without folders.
 */
function deletionOf(
  path: string,
  version: number,
  at: WriteSurroundings,
  deleted: ReadonlySet<string>,
  ops: readonly WriteOp[],
): { readonly path: string; readonly op: MultiOp }[] {
  const isBelow = (other: string): boolean => other.startsWith(`${path}/`);
  const below = [...at.below].filter(([other, node]) => isBelow(other) && node !== null);
  const stays =
    below.some(([other, node]) => (node?.bytes.length ?? 0) > 0 && !deleted.has(other)) ||
    ops.some((op) => op.kind === 'put' && isBelow(op.path));
  const absolute = `${at.root}/${path}`;
  if (stays) return [{ path, op: { kind: 'set', path: absolute, bytes: EMPTY, version } }];
  const folders = below
    .filter(([other]) => !deleted.has(other))
    .map(([other]) => ({
      path: other,
      op: { kind: 'delete', path: `${at.root}/${other}`, version: ANY_VERSION } as const,
    }));
  return [...folders, { path, op: { kind: 'delete', path: absolute, version } }];
}
