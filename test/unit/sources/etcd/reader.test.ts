import type { IRangeRequest, IRangeResponse } from 'etcd3';
import { beforeEach, describe, expect, test } from 'vitest';
import { CodedError } from '../../../../src/core/errors.ts';
import { err, ok } from '../../../../src/core/result.ts';
import type { Result } from '../../../../src/core/result.ts';
import { Keys } from '../../../../src/sources/etcd/keys.ts';
import { readBelow } from '../../../../src/sources/etcd/reader.ts';

/** As etcd says it (api/v3rpc/rpctypes/error.go, ErrCompacted), in the form in which gRPC errors come. */
const COMPACTED = new CodedError(
  'STORE_CONFLICT',
  '11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted',
  {
    transient: true,
  },
);

let asked: IRangeRequest[];
let answers: Result<IRangeResponse, CodedError>[];
const link = {
  range: (request: IRangeRequest) => {
    asked.push(request);
    return Promise.resolve(answers.shift() ?? err(new CodedError('STORE_PROTOCOL', 'not expected')));
  },
};

function page(revision: number, names: readonly string[], more: boolean): Result<IRangeResponse, CodedError> {
  const header = { cluster_id: '1', member_id: '1', revision: String(revision), raft_term: '1' };
  const fields = { create_revision: '3', mod_revision: '4', version: '1', lease: '0', value: Buffer.from('{}') };
  const kvs = names.map((name) => ({ ...fields, key: Buffer.from(`/vipkeeper/config/vips/${name}`) }));
  return ok({ header, kvs, more, count: String(kvs.length) });
}

const read = () => readBelow(link, new Keys('/vipkeeper'), 'config', { pageKeys: 2 });

beforeEach(() => {
  asked = [];
});

describe('reading more keys than fit a page', () => {
  test('asks for each page behind the last key of the one before, at the revision of the first', async () => {
    answers = [page(7, ['a', 'b'], true), page(9, ['c'], false)];
    expect(await read()).toMatchObject({ ok: true, value: { revision: 7n } });
    expect(asked.map(({ key, revision, limit }) => [String(key), revision, limit])).toEqual([
      ['/vipkeeper/config/', '0', 2],
      ['/vipkeeper/config/vips/b\0', '7', 2],
    ]);
  });

  test('that compaction overtakes between two pages begins again, with nothing of before', async () => {
    answers = [page(7, ['a', 'gone'], true), err(COMPACTED), page(20, ['a', 'b'], true), page(21, ['c'], false)];
    const outcome = await read();
    expect(outcome).toMatchObject({ ok: true, value: { revision: 20n } });
    expect(outcome.ok ? [...outcome.value.records.keys()] : []).toEqual(
      ['a', 'b', 'c'].map((name) => `config/vips/${name}`),
    );
  });

  test('is given up after three beginnings', async () => {
    answers = [1, 2, 3, 4].flatMap((n) => [page(n, ['a', 'b'], true), err(COMPACTED)]);
    expect(await read()).toEqual(err(COMPACTED));
    expect(answers).toHaveLength(2);
  });

  test('is not begun again for another reason', async () => {
    const refused = new CodedError('STORE_FORBIDDEN', 'permission denied');
    answers = [page(7, ['a', 'b'], true), err(refused)];
    expect(await read()).toEqual(err(refused));
    expect(asked).toHaveLength(2);
  });
});
