import type { IRangeResponse } from 'etcd3';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CodedError } from '../../../../src/core/errors.ts';
import { ok } from '../../../../src/core/result.ts';
import type { Result } from '../../../../src/core/result.ts';
import type { WatchStream } from '../../../../src/sources/etcd/link.ts';
import { ConfigWatch } from '../../../../src/sources/etcd/watch.ts';
import { FakeWatchStream } from '../../../fakes/etcd-stream.ts';
import { ManualClock, settle } from '../../../fakes/manual-clock.ts';

const RANGE = { key: Buffer.from('/vipkeeper/config/'), range_end: Buffer.from('/vipkeeper/config0') };
let clock: ManualClock;
let streams: FakeWatchStream[];
let revision: number;
let told: [string[], boolean][];
let gaps: number;
let ends: CodedError[];
let watch: ConfigWatch;
let started: Promise<Result<void, CodedError>>;

const last = (): FakeWatchStream => {
  const stream = streams.at(-1);
  if (stream === undefined) throw new Error('no watch was opened');
  return stream;
};

beforeEach(async () => {
  clock = new ManualClock();
  streams = [];
  revision = 41;
  told = [];
  gaps = 0;
  ends = [];
  const link = {
    range: () => {
      const header = { cluster_id: '1', member_id: '1', revision: String(revision), raft_term: '1' };
      return Promise.resolve(ok<IRangeResponse>({ header, kvs: [], more: false, count: '0' }));
    },
    watch: () => {
      const stream = new FakeWatchStream();
      streams.push(stream);
      return Promise.resolve(ok<WatchStream>(stream));
    },
  };
  watch = new ConfigWatch(link, RANGE, clock, {
    onEvents: (events, more) => told.push([events.map(({ type }) => type), more]),
    onGap: () => gaps++,
    onEnd: (error) => ends.push(error),
  });
  started = watch.start();
  await settle();
});

describe('a watch on config/', () => {
  test('starts right behind the revision that was read, and stands once the member says so', async () => {
    expect(last().sent).toMatchObject([{ create_request: { ...RANGE, start_revision: '42', fragment: true } }]);
    last().answer({ created: true });
    expect(await started).toEqual(ok(undefined));
    expect(told).toEqual([]);
    last().answer({ events: [{ type: 'Put' }, { type: 'Delete' }], fragment: true });
    last().answer({ events: [{ type: 'Put' }] });
    expect(told).toEqual([
      [['Put', 'Delete'], true],
      [['Put'], false],
    ]);
    // What the watch itself has told is no gap.
    expect(gaps).toBe(0);
  });

  test('that compaction overtook starts again from now, and tells that anything may have changed', async () => {
    last().answer({ created: true });
    await started;
    revision = 99;
    last().answer({ canceled: true, compact_revision: '98' });
    await settle();
    expect(streams).toHaveLength(2);
    expect(streams[0]?.cancelled).toBe(true);
    expect(last().sent).toMatchObject([{ create_request: { start_revision: '100' } }]);
    // Not before the new watch stands: what happens until then would be told by nobody.
    expect(gaps).toBe(0);
    last().answer({ created: true });
    await settle();
    expect(gaps).toBe(1);
    expect(ends).toEqual([]);
    // The old stream has no say any more.
    streams[0]?.answer({ events: [{ type: 'Put' }] });
    expect(told).toEqual([]);
  });

  test.each([
    [
      'is cancelled for another reason',
      () => last().answer({ canceled: true, cancel_reason: 'permission denied' }),
      'STORE_FORBIDDEN',
    ],
    ['ends', () => last().emit('end'), 'STORE_DISCONNECTED'],
    ['breaks', () => last().emit('error', new Error('14 UNAVAILABLE: reset')), 'STORE_DISCONNECTED'],
  ])('that %s is of no use any more, and says so once', async (_how, happen, code) => {
    last().answer({ created: true });
    await started;
    happen();
    last().emit('end');
    expect(ends).toMatchObject([{ code }]);
  });

  test('that is never confirmed fails after 2 s', async () => {
    clock.advance(2_000);
    expect(await started).toMatchObject({ ok: false, error: { code: 'STORE_DISCONNECTED', transient: true } });
    expect(last().cancelled).toBe(true);
    expect(ends).toEqual([]);
  });

  test('that was stopped tells nothing any more', async () => {
    last().answer({ created: true });
    await started;
    watch.stop();
    last().answer({ canceled: true, compact_revision: '98' });
    last().emit('end');
    await settle();
    expect([told, gaps, ends]).toEqual([[], 0, []]);
    expect(last().cancelled).toBe(true);
  });
});
