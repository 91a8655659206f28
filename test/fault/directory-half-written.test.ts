import { open, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StoreSnapshot } from '../../src/sources/source.ts';
import { eventually } from '../lab/eventually.ts';
import { ManualClock, settle } from '../fakes/manual-clock.ts';
import { snapshot, text, until } from '../system/contract-store.ts';
import { StoreFolder } from './directory-fixture.ts';

const web = 'config/vips/web';
let store: StoreFolder;

beforeEach(async () => {
  store = await StoreFolder.make({ [web]: '{"n":0}', 'config/vips/other': '{}' });
});
afterEach(async () => {
  await store.remove();
});

test('while a file is half written the last whole one stands, and the new one follows without delay', async () => {
  const clock = new ManualClock(Date.now());
  const source = store.source({ clock });
  await run(clock, snapshot(source));
  const handle = await open(store.file(web), 'w');
  await handle.write('{"n":1,"half":');
  let answered: StoreSnapshot | undefined;
  const reading = snapshot(source).then((read) => (answered = read));
  // The reading looks, finds half a record, and waits for its author.
  await eventually('it waits', () => clock.pendingTimers > 0);
  expect(answered).toBeUndefined();
  await handle.write('"whole"}');
  await handle.close();
  const read = await run(clock, reading);
  expect(text(read, web)).toBe('{"n":1,"half":"whole"}');
});

test('a file that stays half written is believed in the end, so that somebody hears of it', async () => {
  const source = store.source();
  await snapshot(source);
  await writeFile(store.file(web), '{"n":1,');
  expect(text(await until(source, (read) => text(read, web) !== '{"n":0}'), web)).toBe('{"n":1,');
});

test('an author who never rests does not hold up the others, nor is a part ever seen', async () => {
  const source = store.source();
  await snapshot(source);
  const stop = new AbortController();
  const author = (async (): Promise<number> => {
    let n = 0;
    while (!stop.signal.aborted) {
      n += 1;
      const handle = await open(store.file(web), 'w');
      await handle.write(`{"n":${n},`);
      await settle();
      await handle.write(`"filler":"${'x'.repeat(n % 500)}",`);
      await settle();
      await handle.write(`"end":${n}}`);
      await handle.close();
    }
    return n;
  })();
  for (let reading = 0; reading < 12; reading++) {
    await store.put('config/vips/other', `{"reading":${reading}}`);
    const read = await snapshot(source);
    expect(text(read, 'config/vips/other')).toBe(`{"reading":${reading}}`);
    const record = JSON.parse(text(read, web) ?? 'absent') as { n: number; end?: number; filler?: string };
    if (record.n > 0) expect(record).toEqual({ n: record.n, filler: 'x'.repeat(record.n % 500), end: record.n });
  }
  stop.abort();
  const written = await author;
  expect(written).toBeGreaterThan(12);
  await until(source, (read) => (JSON.parse(text(read, web) ?? '{}') as { n: number }).n === written);
});

test('an editor that moves the old file away before it writes the new one deletes nothing', async () => {
  const clock = new ManualClock(Date.now());
  const source = store.source({ clock });
  await run(clock, snapshot(source));
  await rename(store.file(web), `${store.file(web)}~`);
  let answered: StoreSnapshot | undefined;
  const reading = snapshot(source).then((read) => (answered = read));
  await eventually('it waits', () => clock.pendingTimers > 0);
  expect(answered).toBeUndefined();
  await writeFile(store.file(web), '{"n":1}');
  expect(text(await run(clock, reading), web)).toBe('{"n":1}');
});

test('a deletion is believed once it has lasted a moment', async () => {
  const source = store.source();
  await snapshot(source);
  await rm(store.file(web));
  const read = await snapshot(source);
  expect([...read.records.keys()].filter((path) => path.startsWith('config/vips/'))).toEqual(['config/vips/other']);
});

test('an emptied file is neither a folder nor a deletion', async () => {
  const source = store.source();
  await snapshot(source);
  await truncate(store.file(web));
  const read = await until(source, (each) => text(each, web) !== '{"n":0}');
  expect(text(read, web)).toBe('"the file is empty"');
});

test('a tree that is swapped for another is never seen as gone', async () => {
  const source = store.source();
  await snapshot(source);
  for (let swap = 1; swap <= 10; swap++) {
    await store.put('next/vips/web', `{"swap":${swap}}`);
    const reading = snapshot(source);
    await rename(`${store.path}/config`, `${store.path}/previous`);
    await settle();
    await rename(`${store.path}/next`, `${store.path}/config`);
    await rm(`${store.path}/previous`, { recursive: true });
    const read = await reading;
    expect(read.rootExists).toBe(true);
    expect(read.records.has(web)).toBe(true);
    await until(source, (each) => text(each, web) === `{"swap":${swap}}`);
  }
});

/** Lets time pass, a little at a time, until the promise has settled. The file system needs real turns to answer. */
async function run<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = (): void => void (settled = true);
  promise.then(mark, mark);
  await eventually(
    'it settles',
    () => {
      clock.advance(5);
      return settled;
    },
    { everyMs: 1 },
  );
  return promise;
}
