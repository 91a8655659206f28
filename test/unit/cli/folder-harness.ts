import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** A directory of records that a test works with; made anew for each test. */
export interface TestFolder {
  readonly path: string;
  /** Puts a file in place, relative to the folder. */
  put(file: string, content: unknown): void;
  remove(file: string): void;
  text(file: string): string;
  /** All files, sorted. */
  files(): readonly string[];
}

export function testFolder(): TestFolder {
  let parent = '';
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'vipkeeper-records-'));
  });
  afterEach(() => {
    rmSync(parent, { recursive: true });
  });
  const place = (file: string): string => join(parent, 'records', file);
  return {
    get path() {
      return join(parent, 'records');
    },
    put(file, content) {
      mkdirSync(dirname(place(file)), { recursive: true });
      writeFileSync(place(file), typeof content === 'string' ? content : JSON.stringify(content));
    },
    remove: (file) => rmSync(place(file)),
    text: (file) => readFileSync(place(file), 'utf8'),
    files() {
      const entries = readdirSync(place('.'), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(place('.').length + 1))
        .sort();
    },
  };
}
