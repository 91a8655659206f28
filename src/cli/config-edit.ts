import { readConfiguration } from '../agent/record-writing.ts';
import type { Problem } from '../model/problem.ts';
import type { StoreClient, StoreRecord } from '../sources/source.ts';
import { countText } from './count-text.ts';
import type { CliContext } from './io.ts';
import { CliFailure, orFail } from './io.ts';
import { printable } from './table.ts';

/** Everything under config/. */
export async function readConfig(store: StoreClient): Promise<Map<string, StoreRecord>> {
  return orFail(await readConfiguration(store));
}

/**
 * Advice does not hold an edit back; everything else does.
 * @param what that would then be as it was: "config/vips/web", "the store"
 * @param hint how to have it written all the same; '' = there is no way
 */
export function refuseProblems({ io }: CliContext, problems: readonly Problem[], what: string, hint: string): void {
  const advice = problems.filter(({ effect }) => effect === 'in force');
  const faults = problems.filter(({ effect }) => effect !== 'in force');
  for (const problem of faults) io.err(`${problemLine(problem)}\n`);
  for (const problem of advice) io.err(`advice: ${problemLine(problem)}\n`);
  if (faults.length === 0) return;
  const count = faults.length === 1 ? 'a problem' : countText(faults.length, 'problem');
  throw new CliFailure(
    'invalid',
    `${what} was left as it is: the edit makes ${count}${hint === '' ? '' : ` (${hint})`}`,
  );
}

/** Without the effect, since nothing has been written yet that could have one. */
export function problemLine({ path, field, found, allowed }: Problem): string {
  return printable(`${path}: ${field === '' ? '' : `${field}: `}found ${found}, allowed ${allowed}`);
}
