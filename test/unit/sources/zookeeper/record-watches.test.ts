import { beforeEach, describe, expect, test } from 'vitest';
import { ByteReader } from '../../../../src/core/bytes.ts';
import { CodedError } from '../../../../src/core/errors.ts';
import { err, ok } from '../../../../src/core/result.ts';
import type { Call } from '../../../../src/sources/zookeeper/calls.ts';
import { RecordWatches } from '../../../../src/sources/zookeeper/record-watches.ts';

const A = '/vipkeeper/state/agents/lb1';
const B = '/vipkeeper/state/health/web/lb1';

let connection: number;
let sent: string[];
let refused: boolean;
let watches: RecordWatches;

beforeEach(() => {
  connection = 1;
  sent = [];
  refused = false;
  watches = new RecordWatches({
    get connection() {
      return connection;
    },
    request: <T>(call: Call<T>) => {
      sent.push(call.what);
      if (refused) return Promise.resolve(err(new CodedError('STORE_FORBIDDEN', 'no')));
      return Promise.resolve(ok(call.decode(new ByteReader(new Uint8Array(4)))));
    },
  });
});

const taken = (): string[] => sent.splice(0);

describe('the watches on our own records', () => {
  test('each record is watched once over one connection', () => {
    watches.follow(A, true);
    watches.follow(B, true);
    watches.follow(A, true);
    expect(taken()).toEqual([`addWatch ${A}`, `addWatch ${B}`]);
  });

  test('a new connection has none of the watches of the old one', () => {
    watches.follow(A, true);
    connection = 2;
    watches.follow(A, true);
    expect(taken()).toEqual([`addWatch ${A}`, `addWatch ${A}`]);
    // Nothing is taken back that this connection never had.
    connection = 3;
    watches.follow(A, false);
    expect(taken()).toEqual([]);
  });

  test('a record that is no longer wanted is watched no longer, and again when it is back', () => {
    watches.follow(A, true);
    watches.follow(A, false);
    watches.follow(A, false);
    watches.follow(A, true);
    expect(taken()).toEqual([`addWatch ${A}`, `removeWatches ${A}`, `addWatch ${A}`]);
  });

  test('without a connection nothing is asked, and nothing is taken for watched', () => {
    connection = 0;
    watches.follow(A, true);
    expect(taken()).toEqual([]);
    connection = 1;
    watches.follow(A, true);
    expect(taken()).toEqual([`addWatch ${A}`]);
  });

  test('a refused watch fails nobody, and is not asked for in a loop', async () => {
    refused = true;
    watches.follow(A, true);
    await Promise.resolve();
    watches.follow(A, true);
    expect(taken()).toEqual([`addWatch ${A}`]);
    expect(watches.stands(A)).toBe(false);
  });

  test('a watch stands once the server has taken it, and as long as its connection', async () => {
    watches.follow(A, true);
    expect(watches.stands(A)).toBe(false);
    await Promise.resolve();
    expect([watches.stands(A), watches.stands(B)]).toEqual([true, false]);
    connection = 2;
    expect(watches.stands(A)).toBe(false);
    watches.follow(A, true);
    await Promise.resolve();
    watches.follow(A, false);
    expect(watches.stands(A)).toBe(false);
  });
});
