import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CreationIndex } from '../../../../src/sources/directory/creation-index.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vipkeeper-index-'));
  file = join(folder, 'state/.created.json');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function loaded(): Promise<CreationIndex> {
  const index = new CreationIndex(file);
  await index.load();
  return index;
}

test('the first birth that was seen stays, across edits and restarts', async () => {
  const index = await loaded();
  expect(index.createdOf('a', 5n)).toBe(5n);
  expect(await index.sync(new Map([['a', 5n]]))).toBe(true);
  expect(await index.sync(new Map([['a', 9n]]))).toBe(false);
  expect(index.createdOf('a', 9n)).toBe(5n);
  expect((await loaded()).createdOf('a', 9n)).toBe(5n);
});

test('a path that went and came back is a new one', async () => {
  const index = await loaded();
  await index.sync(new Map([['a', 5n]]));
  await index.sync(new Map());
  await index.sync(new Map([['a', 9n]]));
  expect((await loaded()).createdOf('a', 0n)).toBe(9n);
});

test('what another process entered first counts', async () => {
  const mine = await loaded();
  const other = await loaded();
  await other.sync(new Map([['a', 5n]]));
  await mine.sync(
    new Map([
      ['a', 9n],
      ['b', 7n],
    ]),
  );
  expect(mine.createdOf('a', 9n)).toBe(5n);
  await other.change(new Map([['c', 8n]]), ['a']);
  const read = await loaded();
  expect([read.createdOf('a', 0n), read.createdOf('b', 0n), read.createdOf('c', 0n)]).toEqual([0n, 7n, 8n]);
});

test.each(['', '{', '[]', 'null', '{"a":5}', '{"a":"-5"}', '{"a":"5e3"}'])(
  'a spoilt index (%j) is begun anew from birth times',
  async (text) => {
    const index = await loaded();
    await index.sync(new Map([['a', 5n]]));
    await writeFile(file, text);
    const read = await loaded();
    expect(read.createdOf('a', 9n)).toBe(9n);
    await read.sync(new Map([['a', 9n]]));
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ a: '9' });
  },
);
