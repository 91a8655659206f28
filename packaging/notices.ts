import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A library of which code is in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** What goes with every copy: the text, notices included; of one that has none, the licence in a word, and whose it is. */
  readonly text: string;
}

interface Manifest extends Partial<Omit<BundledPackage, 'text'>> {
  readonly author?: string | { readonly name: string };
}

/**
 * The packages that files come from, by name.
 * @param root folder that the files are relative to
 * @throws Error when a package does not say under which terms it may be copied
 */
export function bundledPackages(root: string, files: readonly string[]): readonly BundledPackage[] {
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
  return [...folders].map((folder) => packageIn(join(root, folder))).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function packageIn(folder: string): BundledPackage {
  const manifest = readFileSync(join(folder, 'package.json'), 'utf8');
  const { name, version, license, author } = JSON.parse(manifest) as Manifest;
  if (name === undefined || version === undefined || license === undefined) {
    throw new Error(`${folder} does not say under which licence it may be passed on`);
  }
  const files = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice)\b/i.test(entry.name))
    .map((entry) => readFileSync(join(folder, entry.name), 'utf8').trim());
  const owner = typeof author === 'string' ? author : author?.name;
  const text = files.length > 0 ? files.join('\n\n') : `Licence: ${license}, by ${owner ?? `the authors of ${name}`}`;
  return { name, version, license, text };
}

export function noticesOf(packages: readonly BundledPackage[]): string {
  const parts = packages.map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`);
  return `vipkeeper contains code of these libraries.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
