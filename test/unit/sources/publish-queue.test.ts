import { describe, expect, test } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/ports.ts';
import type { Log } from '../../../src/core/ports.ts';
import { err, ok } from '../../../src/core/result.ts';
import type { Result } from '../../../src/core/result.ts';
import { PublishQueue } from '../../../src/sources/publish-queue.ts';
import type { WantedRecords } from '../../../src/sources/publish-queue.ts';
import type { PublishReport } from '../../../src/sources/source.ts';
import { settle } from '../../fakes/manual-clock.ts';

type Answer = Result<PublishReport, CodedError>;

/** A store that answers when the test says so. */
class SlowStore {
  readonly runs: { readonly paths: string[]; readonly answer: (answer: Answer) => void }[] = [];

  readonly run = (wanted: WantedRecords): Promise<Answer> =>
    new Promise((answer) => this.runs.push({ paths: [...wanted.keys()], answer }));
}

const set = (...paths: string[]): WantedRecords => new Map(paths.map((path) => [path, new Uint8Array()]));
const written = (count: number): Answer => ok({ written: count, deleted: 0, refused: new Map<string, string>() });

describe('publications', () => {
  test('run one at a time, and a burst costs two runs, of which the second has the newest set', async () => {
    const store = new SlowStore();
    const queue = new PublishQueue(store.run, silentLog);
    const first = queue.publish(set('a'));
    await settle();
    const burst = ['b', 'c', 'd'].map((path) => queue.publish(set(path)));
    await settle();
    expect(store.runs.map((run) => run.paths)).toEqual([['a']]);
    store.runs[0]?.answer(written(1));
    expect(await first).toEqual(written(1));
    await settle();
    expect(store.runs.map((run) => run.paths)).toEqual([['a'], ['d']]);
    store.runs[1]?.answer(written(2));
    expect(await Promise.all(burst)).toEqual([written(2), written(2), written(2)]);
  });

  test('a later change of the caller’s map is not published', async () => {
    const store = new SlowStore();
    const queue = new PublishQueue(store.run, silentLog);
    const records = new Map([['a', new Uint8Array()]]);
    void queue.publish(records);
    records.set('b', new Uint8Array());
    await settle();
    expect(store.runs[0]?.paths).toEqual(['a']);
  });

  test('a new session publishes what is wanted, also after a failure, and tells of what it could not', async () => {
    const store = new SlowStore();
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields, message) => void warnings.push(message) };
    const queue = new PublishQueue(store.run, log);
    queue.resume();
    await settle();
    expect(store.runs).toHaveLength(0);
    const failed = queue.publish(set('a'));
    await settle();
    store.runs[0]?.answer(err(new CodedError('STORE_UNREACHABLE', 'down')));
    expect((await failed).ok).toBe(false);
    queue.resume();
    await settle();
    expect(store.runs[1]?.paths).toEqual(['a']);
    store.runs[1]?.answer(ok({ written: 0, deleted: 0, refused: new Map([['a', '77']]) }));
    await queue.idle();
    await settle();
    expect(warnings).toEqual(['records are held by another session']);
  });
});
