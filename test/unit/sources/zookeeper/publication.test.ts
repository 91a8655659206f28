import { describe, expect, test } from 'vitest';
import { batchesOf, doubted, intentFor, knownFrom } from '../../../../src/sources/zookeeper/publication.ts';
import type { Known } from '../../../../src/sources/zookeeper/publication.ts';
import { OPEN_ACL } from '../../../../src/sources/zookeeper/acl.ts';

const PATH = '/root/state/agents/lb1';
const OLD = Buffer.from('old');
const NEW = Buffer.from('new');
const CREATE = { kind: 'create', path: PATH, bytes: NEW, acl: OPEN_ACL, flag: 1 };

const ours: Known = { kind: 'ours', bytes: OLD, version: 4 };
const leftover: Known = { kind: 'leftover', version: 9 };
const UNKNOWN: Known = { kind: 'unknown', was: null };
const foreign: Known = { kind: 'foreign', session: '0x5' };

describe('what to do about a record', () => {
  test.each([
    ['nothing there, wanted', undefined, NEW, { kind: 'write', ops: [CREATE], after: 'present' }],
    ['nothing there, not wanted', undefined, undefined, { kind: 'nothing' }],
    [
      'ours, changed',
      ours,
      NEW,
      { kind: 'write', ops: [{ kind: 'set', path: PATH, bytes: NEW, version: 4 }], after: 'present' },
    ],
    ['ours, the same', ours, Buffer.from('old'), { kind: 'nothing' }],
    [
      'ours, written by we know not whom',
      { kind: 'ours', bytes: null, version: 5 } as const,
      NEW,
      { kind: 'write', ops: [{ kind: 'set', path: PATH, bytes: NEW, version: 5 }], after: 'present' },
    ],
    [
      'ours, not wanted',
      ours,
      undefined,
      { kind: 'write', ops: [{ kind: 'delete', path: PATH, version: 4 }], after: 'absent' },
    ],
    [
      'left by our earlier session, wanted: replaced in one step, for that session takes its nodes along',
      leftover,
      NEW,
      { kind: 'write', ops: [{ kind: 'delete', path: PATH, version: 9 }, CREATE], after: 'present' },
    ],
    [
      'left by our earlier session, not wanted',
      leftover,
      undefined,
      { kind: 'write', ops: [{ kind: 'delete', path: PATH, version: 9 }], after: 'absent' },
    ],
    ['somebody else’s, wanted', foreign, NEW, { kind: 'refused', session: '0x5' }],
    ['somebody else’s, not wanted', foreign, undefined, { kind: 'nothing' }],
    ['unknown, wanted', UNKNOWN, NEW, { kind: 'look' }],
    ['unknown, not wanted: it may be ours and must not stay', UNKNOWN, undefined, { kind: 'look' }],
  ])('%s', (_case, known, wanted, intent) => {
    expect(intentFor(PATH, wanted, known, OPEN_ACL)).toEqual(intent);
  });
});

describe('whose a node is', () => {
  const node = (ephemeralOwner: bigint) => ({ czxid: 1n, mzxid: 1n, version: 3, ephemeralOwner, childCount: 0 });
  const isFormer = (session: string): boolean => session === '0xffffffffffffffff' || session === '0x0';

  test.each([
    ['absent', null, undefined],
    ['our session’s, which we know nothing of', node(7n), { kind: 'ours', bytes: null, version: 3 }],
    ['our former session’s, an id with its highest bit set', node(-1n), { kind: 'leftover', version: 3 }],
    ['another’s', node(8n), { kind: 'foreign', session: '0x8' }],
    ['nobody’s, since it is not ephemeral, whatever was adopted', node(0n), { kind: 'foreign', session: '0x0' }],
  ])('%s', (_case, found, known) => {
    expect(knownFrom(found, undefined, 7n, isFormer)).toEqual(known);
  });

  test.each([
    ['as we left it', { kind: 'ours', bytes: OLD, version: 3 } as const, OLD],
    ['as we left it before the connection broke', doubted({ kind: 'ours', bytes: OLD, version: 3 }), OLD],
    ['written since: by somebody, or by us without an answer', doubted(ours), null],
    ['ours since we looked last', doubted(leftover), null],
  ])('what is in it: %s', (_case, before, bytes) => {
    expect(knownFrom(node(7n), before, 7n, isFormer)).toEqual({ kind: 'ours', bytes, version: 3 });
  });
});

describe('batches', () => {
  const limits = { maxPaths: 3, maxBytes: 100 };

  test.each([
    ['by count', ['a', 'b', 'c', 'd'], 1, [['a', 'b', 'c'], ['d']]],
    ['by bytes', ['a', 'b', 'c'], 60, [['a'], ['b'], ['c']]],
    ['one too large alone goes alone', ['a', 'b'], 500, [['a'], ['b']]],
    ['none', [], 1, []],
  ])('%s', (_case, paths, size, batches) => {
    expect(batchesOf(paths, () => size, limits)).toEqual(batches);
  });
});
