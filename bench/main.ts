import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bench, Figure, Reporter } from './kit/report.ts';
import { isMet, jsonLine, table } from './kit/report.ts';

/*
 * `npm run bench -- NAME [--store STORE] [--json]` runs bench/NAME.ts. A table for people; with --json one line per
 * figure on standard output and nothing else. The exit code is 1 when a goal was missed, 2 when there is no such
 * benchmark.
 */

const folder = dirname(fileURLToPath(import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

async function load(name: string): Promise<Bench> {
  const loaded = (await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as { readonly bench?: Bench };
  if (loaded.bench === undefined) throw new Error(`bench/${name}.ts exports no bench`);
  return loaded.bench;
}

async function list(): Promise<number> {
  console.error('usage: npm run bench -- NAME [--store STORE] [--json]\n');
  for (const name of names) {
    const { about, stores = [] } = await load(name);
    console.error(`  ${name.padEnd(10)}${about}${stores.length > 0 ? `; --store ${stores.join(', ')}` : ''}`);
  }
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean', default: false }, store: { type: 'string' } },
    allowPositionals: true,
  });
  const [name] = positionals;
  if (name === undefined || !names.includes(name)) return list();
  const { run, stores = [] } = await load(name);
  const { json, store } = values;
  if (store !== undefined && !stores.includes(store)) return list();
  const figures: Figure[] = [];
  const report: Reporter = {
    figure: (figure) => {
      figures.push(figure);
      if (json) console.log(jsonLine(figure));
    },
    note: (text) => console.error(text),
  };
  await run(report, store === undefined ? stores : [store]);
  if (!json) console.log(`\n${table(figures)}`);
  return figures.some((figure) => isMet(figure) === false) ? 1 : 0;
}

// Clients that were measured against may leave timers behind; everything that was started here has ended by now.
process.exit(await main(process.argv.slice(2)));
