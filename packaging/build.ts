/*
 * Makes dist/: the program in a few files, with the libraries that it uses. See docs/decisions/0006.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import project from '../package.json' with { type: 'json' };
import { bundledPackages, noticesOf } from './notices.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'dist');

/**
 * What is started by name: the program, which esbuild makes executable because of its first line, and the modules of its
 * threads. Each lies where its source lies in src/.
 */
const ENTRIES = ['cli/main', 'agent/check-thread', 'bgp/worker'];

rmSync(OUT, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ENTRIES.map((entry) => ({ in: `src/${entry}.ts`, out: entry })),
  outdir: OUT,
  bundle: true,
  // What commands and threads share, and what is loaded only when it is needed, in files of its own. They lie one
  // folder deep, as the entries do: from everywhere, `../` is the root of the program.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: `node${project.engines.node.replace('>=', '')}`,
  // Native code, and a library that reads a file of its own beside it.
  external: Object.keys(project.dependencies),
  // Names stay: a stack trace is to be read by people.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: true,
  legalComments: 'none',
  // What an uncaught error shows of the program is one line.
  lineLimit: 120,
  // For libraries that are CommonJS.
  banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(join(OUT, 'THIRD-PARTY-NOTICES.txt'), noticesOf(bundledPackages(ROOT, Object.keys(metafile.inputs))));
