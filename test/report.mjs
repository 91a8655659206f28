// The parts of the test command that decide without doing: they have tests of their own.
import { relative } from 'node:path';

/**
 * Counts a report of vitest's JSON reporter. A file that could not be loaded, or whose set-up failed, has no failed
 * test to show for it and counts as one failure.
 *
 * @param {string} text
 * @param {string} root
 */
export function readReport(text, root) {
  const report = JSON.parse(text);
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const file of report.testResults ?? []) {
    const name = relative(root, file.name);
    let failedHere = 0;
    for (const test of file.assertionResults ?? []) {
      if (test.status === 'passed') counts.passed += 1;
      else if (test.status === 'failed') {
        failedHere += 1;
        counts.failures.push(`${name} > ${[...(test.ancestorTitles ?? []), test.title].join(' > ')}`);
      } else counts.skipped += 1;
    }
    if (file.status === 'failed' && failedHere === 0) {
      failedHere = 1;
      counts.failures.push(`${name}: ${(file.message ?? '').split('\n')[0] || 'the file could not be run'}`);
    }
    counts.failed += failedHere;
  }
  return counts;
}

/**
 * Whether what npm installed (node_modules/.package-lock.json) is what the lock file asks for. Packages for another
 * platform are in the lock only; they are optional there.
 *
 * @param {string} lockText
 * @param {string} installedText
 */
export function matchesLock(lockText, installedText) {
  const locked = JSON.parse(lockText).packages ?? {};
  const installed = JSON.parse(installedText).packages ?? {};
  for (const [path, entry] of Object.entries(locked)) {
    if (path === '') continue;
    const found = installed[path];
    if (found === undefined ? entry.optional !== true : found.version !== entry.version) return false;
  }
  return Object.keys(installed).every((path) => locked[path] !== undefined);
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
export function finalLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Leaves out what vitest says of single tests that passed, and its banner: a line per file is progress enough. */
export class LineFilter {
  #blank = true;

  /** @param {string} line */
  passes(line) {
    if (/^ {3,}✓ |^ RUN |^JSON report written/.test(line)) return false;
    const blank = line.trim() === '';
    const passes = !(blank && this.#blank);
    this.#blank = blank;
    return passes;
  }
}
