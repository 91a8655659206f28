import { beforeEach, describe, expect, test } from 'vitest';
import type { CodedError } from '../../../../src/core/errors.ts';
import { ok } from '../../../../src/core/result.ts';
import { Keys } from '../../../../src/sources/etcd/keys.ts';
import type { WatchStream } from '../../../../src/sources/etcd/link.ts';
import { RecordWatch } from '../../../../src/sources/etcd/record-watch.ts';
import { FakeWatchStream } from '../../../fakes/etcd-stream.ts';
import { settle } from '../../../fakes/manual-clock.ts';

const PATH = 'state/health/web/lb1';
const KEY = Buffer.from(`/vipkeeper/${PATH}`);
let stream: FakeWatchStream;
let deleted: string[];
let ends: CodedError[];
let watch: RecordWatch;

beforeEach(async () => {
  stream = new FakeWatchStream();
  deleted = [];
  ends = [];
  watch = new RecordWatch({ watch: () => Promise.resolve(ok<WatchStream>(stream)) }, new Keys('/vipkeeper'), {
    onDeleted: (path) => deleted.push(path),
    onEnd: (error) => ends.push(error),
  });
  watch.follow(PATH, '41');
  await settle();
});

describe('the watch on our own records', () => {
  test('begins behind the revision at which the record was there, and asks for deletions only', () => {
    expect(stream.sent).toEqual([
      { create_request: { key: KEY, start_revision: '42', watch_id: 1, filters: ['Noput'] } },
    ]);
  });

  test('follows a record once, and no longer when it is ours no more', async () => {
    watch.follow(PATH, '50');
    watch.follow(PATH, null);
    watch.follow(PATH, null);
    watch.follow(PATH, '60');
    await settle();
    expect(stream.sent.slice(1)).toMatchObject([
      { cancel_request: { watch_id: 1 } },
      { create_request: { key: KEY, start_revision: '61', watch_id: 2 } },
    ]);
  });

  test('tells whose record was deleted', () => {
    stream.answer({ events: [{ type: 'Delete', kv: { key: KEY } }] });
    expect(deleted).toEqual([PATH]);
  });

  test('that compaction overtook ends, so that every record is looked at again', () => {
    stream.answer({ canceled: true, compact_revision: '98' });
    expect(ends).toMatchObject([{ code: 'STORE_DISCONNECTED', transient: true }]);
    stream.emit('end');
    expect(ends).toHaveLength(1);
    expect(stream.cancelled).toBe(true);
  });

  test('that credentials do not allow is done without', () => {
    stream.answer({ canceled: true, cancel_reason: 'permission denied' });
    expect(ends).toEqual([]);
  });

  test.each([
    ['ends', () => stream.emit('end')],
    ['breaks', () => stream.emit('error', new Error('14 UNAVAILABLE: reset'))],
  ])('that %s says so once', (_how, happen) => {
    happen();
    stream.emit('end');
    expect(ends).toMatchObject([{ code: 'STORE_DISCONNECTED' }]);
  });
});
