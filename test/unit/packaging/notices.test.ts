import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundledPackages, noticesOf } from '../../../packaging/notices.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

function installed(files: Readonly<Record<string, string>>): string {
  const root = tempDir();
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return root;
}

const manifest = (name: string, fields: object = {}): string =>
  JSON.stringify({ name, version: '1.0.0', license: 'MIT', ...fields });

describe('the notices of what is in the bundle', () => {
  it('name each package once, those inside others and of a scope included, and none that is ours', () => {
    const root = installed({
      'node_modules/a/package.json': manifest('a'),
      'node_modules/a/LICENSE': 'of a',
      'node_modules/a/node_modules/b/package.json': manifest('b', { version: '2.0.0' }),
      'node_modules/a/node_modules/b/license.md': 'of the inner b',
      'node_modules/@scope/c/package.json': manifest('@scope/c'),
      'node_modules/@scope/c/LICENCE.txt': 'of c',
    });
    const files = [
      'src/cli/main.ts',
      'node_modules/a/index.js',
      'node_modules/a/lib/other.js',
      'node_modules/a/node_modules/b/lib/index.js',
      'node_modules/@scope/c/c.js',
    ];
    const packages = bundledPackages(root, files);
    expect(packages.map(({ name, version, text }) => [name, version, text])).toEqual([
      ['@scope/c', '1.0.0', 'of c'],
      ['a', '1.0.0', 'of a'],
      ['b', '2.0.0', 'of the inner b'],
    ]);
    expect(noticesOf(packages)).toContain('a 1.0.0 (MIT)\n\nof a\n');
  });

  it('hand on what has to go along beside the licence (Apache-2.0, section 4d), but no source of that name', () => {
    const root = installed({
      'node_modules/a/package.json': manifest('a', { license: 'Apache-2.0' }),
      'node_modules/a/LICENSE': 'the terms',
      'node_modules/a/NOTICE': 'made by the people of a',
      'node_modules/a/noticeboard.js': 'code',
      'node_modules/a/license/index.js': 'code',
    });
    const [only] = bundledPackages(root, ['node_modules/a/index.js']);
    expect(only?.text).toBe('the terms\n\nmade by the people of a');
  });

  it.each([
    ['ana <ana@example.test>', 'ana <ana@example.test>'],
    [{ name: 'ana' }, 'ana'],
    [undefined, 'the authors of a'],
  ])('say the licence in a word where a package has no text of it', (author, owner) => {
    const root = installed({ 'node_modules/a/package.json': manifest('a', { author }) });
    expect(bundledPackages(root, ['node_modules/a/a.js'])[0]?.text).toBe(`Licence: MIT, by ${owner}`);
  });

  it('are refused for a package of unknown terms', () => {
    const root = installed({ 'node_modules/a/package.json': manifest('a', { license: undefined }) });
    expect(() => bundledPackages(root, ['node_modules/a/a.js'])).toThrow('node_modules/a does not say');
  });
});
