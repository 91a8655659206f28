import { describe, expect, it } from 'vitest';
import { LineFilter, finalLine, matchesLock, readReport } from '../../report.mjs';

describe('the count of a test report', () => {
  const report = (testResults: readonly object[]): string => JSON.stringify({ testResults });

  it('counts tests by outcome and names the failed ones', () => {
    const text = report([
      {
        name: '/repo/test/unit/a.test.ts',
        status: 'failed',
        assertionResults: [
          { status: 'passed', ancestorTitles: ['a'], title: 'works' },
          { status: 'failed', ancestorTitles: ['a', 'b'], title: 'breaks' },
          { status: 'pending', ancestorTitles: [], title: 'is left out' },
          { status: 'todo', ancestorTitles: [], title: 'is to come' },
        ],
      },
    ]);
    expect(readReport(text, '/repo')).toEqual({
      passed: 1,
      failed: 1,
      skipped: 2,
      failures: ['test/unit/a.test.ts > a > b > breaks'],
    });
  });

  it('counts a file that could not be loaded as one failure', () => {
    const text = report([
      { name: '/repo/test/x.test.ts', status: 'failed', message: 'SyntaxError: no\nat x', assertionResults: [] },
    ]);
    expect(readReport(text, '/repo')).toMatchObject({ failed: 1, failures: ['test/x.test.ts: SyntaxError: no'] });
  });
});

describe('the installed packages', () => {
  const lock = (packages: object): string => JSON.stringify({ packages });
  const locked = lock({
    '': { name: 'p' },
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b-win32': { version: '2.0.0', optional: true },
  });

  it.each([
    ['all there but another platform’s', { 'node_modules/a': { version: '1.0.0' } }, true],
    ['another version', { 'node_modules/a': { version: '1.0.1' } }, false],
    ['one lacking', {}, false],
    ['one too many', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/c': { version: '1.0.0' } }, false],
  ])('%s', (_, packages, expected) => {
    expect(matchesLock(locked, lock(packages))).toBe(expected);
  });
});

describe('the last line of a test run', () => {
  it('names skipped tests only if there are any', () => {
    expect(finalLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
    expect(finalLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
  });
});

describe('the progress of a test run', () => {
  it('shows files and failures, not every test that passed, and no two empty lines', () => {
    const lines = [
      ' RUN  v4',
      '',
      ' ✓ unit test/a.test.ts (2 tests)',
      '     ✓ works 400ms',
      '     × breaks',
      '',
      '',
      'x',
    ];
    const filter = new LineFilter();
    expect(lines.filter((line) => filter.passes(line))).toEqual([
      ' ✓ unit test/a.test.ts (2 tests)',
      '     × breaks',
      '',
      'x',
    ]);
  });
});
