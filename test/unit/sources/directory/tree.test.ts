import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/core/ports.ts';
import { systemClock } from '../../../../src/core/system-clock.ts';
import { CreationIndex } from '../../../../src/sources/directory/creation-index.ts';
import { TICK_MS } from '../../../../src/sources/directory/files.ts';
import { glance, scan, scanOne } from '../../../../src/sources/directory/scan.ts';
import { TreeReader } from '../../../../src/sources/directory/tree-reader.ts';
import type { TreeReading } from '../../../../src/sources/directory/tree-reader.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { tempDir } from '../../../fakes/temp-dir.ts';

const FILES = ['vips/b', 'vips/a', 'services/web', 'services/web/reals/r2', 'services/web/reals/r1', 'checks/tcp'];

/** The same records each time, made in another order: what a folder lists comes in no order of its own. */
function tree(files: readonly string[] = FILES): string {
  const root = tempDir();
  for (const path of files) put(root, path, '{}');
  return root;
}

function put(root: string, path: string, text: string): void {
  const file = join(root, `config/${path}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

describe('a look at a tree', () => {
  it('finds records in order of their names, folder by folder, each once', async () => {
    const { entries } = await scan(tree(), 'config');
    expect([...entries].map(([path, { kind }]) => `${path} ${kind}`)).toEqual([
      'config/checks/tcp file',
      'config/checks folder',
      'config/services/web file',
      'config/services/web/reals/r1 file',
      'config/services/web/reals/r2 file',
      'config/services/web/reals folder',
      'config/services folder',
      'config/vips/a file',
      'config/vips/b file',
      'config/vips folder',
    ]);
  });

  it('tells the same whether what it finds is kept or not', async () => {
    const root = tree();
    writeFileSync(join(root, 'config/README'), '');
    writeFileSync(join(root, 'config.json'), '{}');
    symlinkSync('vips', join(root, 'config/linked'));
    const { entries, ...rest } = await scan(root, 'config');
    expect(await glance(root, 'config')).toEqual(rest);
    expect(rest).toMatchObject({ exists: true, ignored: ['config/README'] });
    expect(entries.get('config')?.kind).toBe('file');
    expect(entries.get('config/linked')?.kind).toBe('odd');
  });

  it.each<[string, (root: string) => void]>([
    ['an edit of the same length', (root) => writeFileSync(join(root, 'config/vips/a.json'), '[]')],
    ['a file that took the place of another', (root) => replace(root, 'vips/a')],
    ['an older time', (root) => utimesSync(join(root, 'config/vips/a.json'), 1, 1)],
    ['a new record', (root) => put(root, 'vips/c', '{}')],
    ['a deletion', (root) => rmSync(join(root, 'config/vips/a.json'))],
    ['a new name', (root) => renameSync(join(root, 'config/vips/a.json'), join(root, 'config/vips/c.json'))],
    ['a folder of another name', (root) => renameSync(join(root, 'config/vips'), join(root, 'config/vipz'))],
    ['a folder', (root) => mkdirSync(join(root, 'config/vips/c'))],
    ['a record of the prefix', (root) => writeFileSync(join(root, 'config.json'), '{}')],
    ['a linked folder', (root) => symlinkSync('vips', join(root, 'config/linked'))],
    ['no tree at all', (root) => rmSync(join(root, 'config'), { recursive: true })],
  ])('sees %s', async (_name, change) => {
    const root = tree();
    const { digest } = await glance(root, 'config');
    expect((await glance(root, 'config')).digest).toBe(digest);
    // The kernel's clock goes on in ticks: without one in between, nothing has changed as far as stamps tell.
    await ticked(join(root, 'config/vips/a.json'), root);
    change(root);
    expect((await glance(root, 'config')).digest).not.toBe(digest);
  });

  it('tells an empty folder from none', async () => {
    const root = tempDir();
    const without = await glance(root, 'config');
    mkdirSync(join(root, 'config'));
    const within = await glance(root, 'config');
    expect([without.exists, within.exists]).toEqual([false, true]);
    expect(within.digest).not.toBe(without.digest);
  });

  it('at one path tells of the record, or else of the folder, or of nothing', async () => {
    const root = tree();
    const kindAt = async (path: string) => (await scanOne(root, path))?.kind ?? null;
    expect(await kindAt('config/services/web')).toBe('file');
    expect(await kindAt('config/services')).toBe('folder');
    expect(await kindAt('config/nothing')).toBeNull();
  });
});

function replace(root: string, path: string): void {
  put(root, '.new', '{}');
  renameSync(join(root, 'config/.new.json'), join(root, `config/${path}.json`));
}

/** Until a change would be stamped later than that file. */
async function ticked(file: string, root: string): Promise<void> {
  const probe = join(root, '.tick');
  const { ctimeNs } = await lstat(file, { bigint: true });
  do writeFileSync(probe, '');
  while ((await lstat(probe, { bigint: true })).ctimeNs <= ctimeNs);
}

describe('readings one after another', () => {
  /** @param wallMs what the clock says, by the last change of the file that was written last, `vips/b` */
  async function readings(wallMs: (ctimeMs: number) => number): Promise<{
    readonly root: string;
    readonly next: () => Promise<TreeReading>;
  }> {
    const root = tree(['vips/a', 'vips/b']);
    const { ctimeMs } = await lstat(join(root, 'config/vips/b.json'));
    const clock = new ManualClock(wallMs(ctimeMs));
    const reader = new TreeReader('config', new CreationIndex(join(root, '.created.json')), clock, silentLog);
    const next = async (): Promise<TreeReading> => {
      const read = await reader.read(root);
      if (!read.ok) throw read.error;
      return read.value;
    };
    return { root, next };
  }

  it('give the very same record where its file has rested, and read one again that may have changed unseen', async () => {
    const rested = await readings((ctimeMs) => ctimeMs + TICK_MS + 1);
    const [first, second] = [await rested.next(), await rested.next()];
    expect(first.settled).toBe(true);
    expect(second.records.get('config/vips/a')).toBe(first.records.get('config/vips/a'));
    const fresh = await readings((ctimeMs) => ctimeMs);
    const [one, other] = [await fresh.next(), await fresh.next()];
    expect(other.records.get('config/vips/b')).not.toBe(one.records.get('config/vips/b'));
    expect(other.records.get('config/vips/b')?.bytes).toEqual(one.records.get('config/vips/b')?.bytes);
  });

  it('leave what was read before as it was', async () => {
    const { root, next } = await readings((ctimeMs) => ctimeMs + 60_000);
    const first = await next();
    const before = new Map(first.records);
    await ticked(join(root, 'config/vips/a.json'), root);
    put(root, 'vips/a', '[]');
    put(root, 'vips/c', '{}');
    const second = await next();
    expect(first.records).toEqual(before);
    expect([...second.records.keys()].sort()).toEqual([...before.keys(), 'config/vips/c'].sort());
    expect(Buffer.from(second.records.get('config/vips/a')?.bytes ?? []).toString()).toBe('[]');
    expect(second.records.get('config/vips/b')).toBe(first.records.get('config/vips/b'));
  });

  it('look once more where something came while they read', async () => {
    const root = tree(['vips/a', 'vips/b']);
    let came = false;
    class Watched extends CreationIndex {
      override createdOf(path: string, birth: bigint): bigint {
        if (!came) put(root, 'vips/c', '{}');
        came = true;
        return super.createdOf(path, birth);
      }
    }
    const index = new Watched(join(root, '.created.json'));
    const read = await new TreeReader('config', index, systemClock, silentLog).read(root);
    expect(came).toBe(true);
    expect(read.ok && read.value.records.has('config/vips/c')).toBe(true);
  });
});
