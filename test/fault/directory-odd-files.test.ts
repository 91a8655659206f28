import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DirectoryStoreClient } from '../../src/sources/directory/client.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { failure, put, snapshot, text, value } from '../system/contract-store.ts';
import { StoreFolder } from './directory-fixture.ts';

const NOBODY = 65_534;
let store: StoreFolder;

beforeEach(async () => {
  store = await StoreFolder.make({ 'config/vips/web': '{"n":1}', 'config/vips/other': '{"n":2}' });
});
afterEach(async () => {
  await store.remove();
});

/** Root reads everything, so a test of forbidden files must be somebody else for a while. */
async function asNobody<T>(job: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return job();
  await chmod(join(store.path, '..'), 0o755);
  await chown(store.path, NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return await job();
  } finally {
    process.seteuid?.(0);
  }
}

test('a file that may not be read harms only itself, and is not taken for deleted', async () => {
  const source = store.source();
  await chmod(store.file('config/vips/web'), 0o000);
  const read = await asNobody(() => snapshot(source));
  expect(text(read, 'config/vips/web')).toBe('"it cannot be read: EACCES"');
  expect(text(read, 'config/vips/other')).toBe('{"n":2}');
});

test('a folder that may not be read fails the reading: what it holds is unknown, not gone', async () => {
  const source = store.source();
  await snapshot(source);
  await chmod(join(store.path, 'config/vips'), 0o000);
  const read = await asNobody(() => source.snapshot());
  expect(read).toMatchObject({ ok: false, error: { code: 'STORE_FORBIDDEN' } });
  await chmod(join(store.path, 'config/vips'), 0o755);
  expect(text(await snapshot(source), 'config/vips/web')).toBe('{"n":1}');
});

test('what is no regular file inside the store is named, and never opened', async () => {
  await writeFile(join(store.path, '../secret.json'), '{"secret":true}');
  await symlink('../../../secret.json', store.file('config/vips/escape'));
  await symlink('nowhere.json', store.file('config/vips/dangling'));
  await symlink('web.json', store.file('config/vips/alias'));
  await symlink('vips', join(store.path, 'config/linked'));
  await mkdir(store.file('config/vips/folder'));
  // Opening a pipe without a writer would wait for ever.
  execFileSync('mkfifo', [store.file('config/vips/pipe')]);
  await writeFile(store.file('config/vips/huge'), Buffer.alloc(1024 * 1024 + 1, ' '));
  const read = await snapshot(store.source());
  expect(text(read, 'config/vips/escape')).toBe('"it is a symbolic link that leaves the store"');
  expect(text(read, 'config/vips/dangling')).toBe('"it is a symbolic link to nothing"');
  expect(text(read, 'config/vips/alias')).toBe('{"n":1}');
  expect(text(read, 'config/linked')).toBe('"linked folders are not read"');
  expect(text(read, 'config/vips/folder.json')).toBe('');
  expect(text(read, 'config/vips/pipe')).toBe('"it is not a regular file"');
  expect(text(read, 'config/vips/huge')).toBe('"it is larger than 1048576 bytes"');
  expect(text(read, 'config/vips/web')).toBe('{"n":1}');
});

test('files of editors, and names that are not ours, are left alone', async () => {
  for (const name of ['.web.json.swp', '.#web.json', 'web.json~', 'web.json.bak', '#web.json#', '4913', 'README']) {
    await writeFile(join(store.path, 'config/vips', name), 'not a record');
  }
  await mkdir(join(store.path, 'config/.git'));
  await writeFile(join(store.path, 'config/.git/index.json'), '{}');
  const read = await snapshot(store.source());
  expect([...read.records.keys()].sort()).toEqual(['config/vips', 'config/vips/other', 'config/vips/web']);
});

test('odd names are passed on for the model to judge; bytes that are no text are not', async () => {
  await writeFile(join(store.path, 'config/vips/we b.json'), '{}');
  await writeFile(join(store.path, 'config/vips/new\nline.json'), '{}');
  await writeFile(
    Buffer.concat([Buffer.from(join(store.path, 'config/vips/')), Buffer.from([0xff, 0xfe]), Buffer.from('.json')]),
    '{}',
  );
  const read = await snapshot(store.source());
  expect(read.records.has('config/vips/we b')).toBe(true);
  expect(read.records.has('config/vips/new\nline')).toBe(true);
  expect(read.records.size).toBe(5);
});

test('an operator cannot write outside the store, nor where a reader would not look', async () => {
  const client = new DirectoryStoreClient({ path: store.path }, systemClock);
  for (const path of ['../escape', 'config/../../escape', 'config//vips', 'config/.hidden', '', 'config/a\0b']) {
    expect(await failure(client.write([put(path, '{}')]))).toBe('STORE_FORBIDDEN');
    expect(await failure(client.get(path))).toBe('STORE_FORBIDDEN');
  }
  expect(await failure(client.write([put(`config/vips/${'x'.repeat(201)}`, '{}')]))).toBe('STORE_FORBIDDEN');
  await symlink('../../../secret.json', store.file('config/vips/escape'));
  expect(await failure(client.get('config/vips/escape'))).toBe('STORE_FORBIDDEN');
});

test('an edit keeps the mode of the file, and follows a link instead of replacing it', async () => {
  const client = new DirectoryStoreClient({ path: store.path }, systemClock);
  await chmod(store.file('config/vips/web'), 0o640);
  await symlink('web.json', store.file('config/vips/alias'));
  await value(client.write([put('config/vips/alias', '{"n":3}')]));
  const read = await snapshot(store.source());
  expect(text(read, 'config/vips/web')).toBe('{"n":3}');
  expect(execFileSync('stat', ['-c', '%a %F', store.file('config/vips/web')], { encoding: 'utf8' }).trim()).toBe(
    '640 regular file',
  );
  expect(execFileSync('stat', ['-c', '%F', store.file('config/vips/alias')], { encoding: 'utf8' }).trim()).toBe(
    'symbolic link',
  );
});
