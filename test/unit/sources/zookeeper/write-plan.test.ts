import { describe, expect, test } from 'vitest';
import type { WriteOp } from '../../../../src/sources/source.ts';
import type { NodeData } from '../../../../src/sources/zookeeper/calls.ts';
import { OPEN_ACL } from '../../../../src/sources/zookeeper/acl.ts';
import { pathsToLookAt, planWrite } from '../../../../src/sources/zookeeper/write-plan.ts';
import type { NodesByPath } from '../../../../src/sources/zookeeper/write-plan.ts';

const X = Buffer.from('x');

function node(text: string, version = 5, mzxid = 50n): NodeData {
  return { bytes: Buffer.from(text), stat: { czxid: 1n, mzxid, version, ephemeralOwner: 0n, childCount: 0 } };
}

function plan(
  ops: readonly WriteOp[],
  nodes: Record<string, NodeData | null>,
  below: Record<string, NodeData> = {},
  missingAbove: string[] = [],
) {
  const at = (entries: Record<string, NodeData | null>): NodesByPath => new Map(Object.entries(entries));
  return planWrite(ops, {
    root: '/r',
    missingAbove,
    nodes: at(nodes),
    below: at(below),
    acl: OPEN_ACL,
    stateAcl: OPEN_ACL,
  });
}

const shortened = (planned: ReturnType<typeof plan>): string[] => {
  if (!planned.ok) return [planned.error.code];
  return planned.value.map((op) => `${op.kind} ${op.path}${'version' in op ? ` @${op.version}` : ''}`);
};

test('the folders above each record are looked at, each once', () => {
  expect(pathsToLookAt([put('config/vips/a'), put('config/vips/b')])).toEqual([
    'config',
    'config/vips',
    'config/vips/a',
    'config/vips/b',
  ]);
});

function put(path: string, expected?: bigint | null): WriteOp {
  return { kind: 'put', path, bytes: X, ...(expected === undefined ? {} : { expected }) };
}

describe('putting', () => {
  test('a new record into an empty store makes every folder, each once, the root first', () => {
    const ops = [put('config/vips/a'), put('config/vips/b')];
    expect(shortened(plan(ops, {}, {}, ['/r']))).toEqual([
      'create /r',
      'create /r/state',
      'create /r/config',
      'create /r/config/vips',
      'create /r/config/vips/a',
      'create /r/config/vips/b',
    ]);
  });

  test('a record that becomes a folder for another in the same write is made once', () => {
    const ops = [put('s/web/reals/a'), put('s/web')];
    expect(shortened(plan(ops, { s: node('') }))).toEqual([
      'create /r/s/web',
      'create /r/s/web/reals',
      'create /r/s/web/reals/a',
      'set /r/s/web @-1',
    ]);
  });

  test.each([
    ['any revision', put('a'), 'set /r/a @-1'],
    ['the expected revision: its version guards the write', put('a', 50n), 'set /r/a @5'],
    ['another revision', put('a', 49n), 'STORE_CONFLICT'],
    ['must not exist', put('a', null), 'STORE_CONFLICT'],
  ])('over a record, %s', (_case, op, result) => {
    expect(shortened(plan([op], { a: node('old') }))).toEqual([result]);
  });

  test('a folder is no record: "must not exist" holds, guarded by the version', () => {
    expect(shortened(plan([put('a', null)], { a: node('', 2) }))).toEqual(['set /r/a @2']);
  });

  test('the expected record is gone', () => {
    expect(shortened(plan([put('a', 50n)], {}))).toEqual(['STORE_CONFLICT']);
  });
});

describe('deleting', () => {
  const remove = (path: string, expected?: bigint): WriteOp => ({
    kind: 'delete',
    path,
    ...(expected === undefined ? {} : { expected }),
  });

  test.each([
    ['whatever it holds', remove('a'), 'delete /r/a @-1'],
    ['the expected revision', remove('a', 50n), 'delete /r/a @5'],
    ['another revision', remove('a', 1n), 'STORE_CONFLICT'],
    ['nothing', remove('b'), 'STORE_NOT_FOUND'],
  ])('%s', (_case, op, result) => {
    expect(shortened(plan([op], { a: node('old') }))).toEqual([result]);
  });

  test('a service with its reals, in any order: the deepest first, empty folders go along', () => {
    const below = { web: node('{}'), 'web/reals': node(''), 'web/reals/a': node('{}') };
    const ops = [remove('web'), remove('web/reals/a')];
    expect(shortened(plan(ops, { web: node('{}'), 'web/reals/a': node('{}') }, below))).toEqual([
      'delete /r/web/reals/a @-1',
      'delete /r/web/reals @-1',
      'delete /r/web @-1',
    ]);
  });

  test('a service whose reals stay is emptied: its node is a folder then', () => {
    const below = { web: node('{}'), 'web/reals': node(''), 'web/reals/a': node('{}') };
    const planned = plan([remove('web', 50n)], { web: node('{}') }, below);
    expect(shortened(planned)).toEqual(['set /r/web @5']);
    expect(planned.ok && planned.value[0]).toMatchObject({ bytes: new Uint8Array(0) });
  });

  test('what is put below it in the same write stays, too', () => {
    const ops = [remove('web'), put('web/reals/b')];
    expect(shortened(plan(ops, { web: node('{}'), 'web/reals': node('') }))).toEqual([
      'create /r/web/reals/b',
      'set /r/web @-1',
    ]);
  });
});
