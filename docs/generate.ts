import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referencePages } from './reference-pages.ts';

/* `npm run docs`: writes docs/reference anew. What it writes is held to the sources by test/docs.test.ts. */

const docs = dirname(fileURLToPath(import.meta.url));
const reference = join(docs, 'reference');

rmSync(reference, { recursive: true, force: true });
for (const [path, text] of referencePages(readFileSync(join(docs, '../bootstrap.example.json'), 'utf8'))) {
  const file = join(reference, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
