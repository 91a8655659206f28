import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../fakes/property.ts';
import { harness, seed } from './cli-harness.ts';
import { testFolder } from './folder-harness.ts';

const folder = testFolder();

describe('export', () => {
  it('writes every record to a file of its own, byte for byte', async () => {
    const { store, run } = harness();
    seed(store);
    store.put('config/vips/odd', '{ "addresses":\t["203.0.113.11"] }\n\n');
    store.put('config/checks/bad', 'not JSON');
    const { exitCode, out } = await run('export', folder.path);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/: 7 records of sha256:[0-9a-f]{64}\n$/);
    expect(folder.files()).toEqual([
      'config/checks/bad.json',
      'config/checks/https-ok.json',
      'config/services/web.json',
      'config/services/web/reals/a.json',
      'config/services/web/reals/b.json',
      'config/vips/odd.json',
      'config/vips/web.json',
    ]);
    expect(folder.text('config/vips/odd.json')).toBe('{ "addresses":\t["203.0.113.11"] }\n\n');
    expect(folder.text('config/checks/bad.json')).toBe('not JSON');
  });

  it('writes one document by path to standard output, with the state on request', async () => {
    const { store, run } = harness();
    store.put('config/vips/web', { addresses: ['203.0.113.10'] });
    store.put('config/vips/bad', 'not JSON');
    store.put('state/agents/lb1', { agent: 'lb1' });
    const config = { 'config/vips/bad': 'not JSON', 'config/vips/web': { addresses: ['203.0.113.10'] } };
    expect(JSON.parse((await run('export')).out)).toEqual(config);
    expect(JSON.parse((await run('export', '--state')).out)).toEqual({
      ...config,
      'state/agents/lb1': { agent: 'lb1' },
    });
  });

  it('may be repeated, but replaces nothing that was edited or is not a record, unless forced', async () => {
    const { store, run } = harness();
    seed(store);
    expect(await run('export', folder.path)).toMatchObject({ exitCode: 0 });
    folder.put('README.md', 'ours');
    folder.put('.git/HEAD', 'ref');
    expect(await run('export', folder.path)).toMatchObject({ exitCode: 0 });
    folder.put('config/vips/web.json', '{}');
    folder.put('config/.gitkeep', '');
    folder.put('config/vips/new.json', '{}');
    const before = folder.files();
    const refused = await run('export', folder.path);
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toContain('config/.gitkeep, config/vips/new.json, config/vips/web.json');
    expect(folder.files()).toEqual(before);
    expect(folder.text('config/vips/web.json')).toBe('{}');
    expect(await run('export', '--force', folder.path)).toMatchObject({ exitCode: 0 });
    expect(folder.text('config/vips/web.json')).toContain('203.0.113.10');
    expect(folder.files()).toEqual([
      '.git/HEAD',
      'README.md',
      'config/checks/https-ok.json',
      'config/services/web.json',
      'config/services/web/reals/a.json',
      'config/services/web/reals/b.json',
      'config/vips/web.json',
    ]);
  });

  it('refuses a name that no file can have before it writes anything', async () => {
    const { store, run } = harness();
    seed(store);
    store.put('config/vips/.hidden', '{}');
    expect(await run('export', folder.path)).toMatchObject({ exitCode: 1 });
    expect(() => folder.files()).toThrow('ENOENT');
  });

  it('lays JSON out for people, which changes no value', async () => {
    const { store, run } = harness();
    store.put('config/vips/web', '{"addresses": ["203.0.113.10"], "med": 1e2}');
    await run('export', '--pretty', folder.path);
    expect(folder.text('config/vips/web.json')).toBe(
      '{\n  "addresses": [\n    "203.0.113.10"\n  ],\n  "med": 100\n}\n',
    );
  });

  it('and read back as files is what was in the store, whatever the bytes', async () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
    const bytes = fc.oneof(fc.json(), fc.string({ minLength: 1, unit: 'binary-ascii' }));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, bytes, { maxKeys: 6, noNullPrototype: true }), async (vips) => {
        rmSync(folder.path, { recursive: true, force: true });
        const { store, run } = harness();
        for (const [vip, text] of Object.entries(vips)) store.put(`config/vips/${vip}`, text);
        expect(await run('export', folder.path)).toMatchObject({ exitCode: 0 });
        const files = Object.entries(vips).map(([vip]) => `config/vips/${vip}.json`);
        expect(folder.files()).toEqual(files.sort());
        for (const [vip, text] of Object.entries(vips)) expect(folder.text(`config/vips/${vip}.json`)).toBe(text);
      }),
      runs(30),
    );
  });
});
