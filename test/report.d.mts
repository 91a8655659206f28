export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  failures: string[];
}
export function readReport(text: string, root: string): Counts;
export function matchesLock(lockText: string, installedText: string): boolean;
export function finalLine(counts: Pick<Counts, 'passed' | 'failed' | 'skipped'>): string;
export class LineFilter {
  passes(line: string): boolean;
}
