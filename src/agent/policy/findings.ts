import { durationMs } from '../../model/duration.ts';
import { quoteFound } from '../../model/problem.ts';
import type { FieldProblem } from '../../model/validate.ts';

/** One thing wrong between the fields of a record, or between records; `found` is quoted. */
export function finding(field: string, found: unknown, allowed: string): FieldProblem {
  return { field, found: quoteFound(found), allowed };
}

/** As `finding`, with `found` in words. */
export function findingInWords(field: string, found: string, allowed: string): FieldProblem {
  return { field, found, allowed };
}

export const WHOLE_SECONDS = 'whole seconds';

/** What is wrong with a duration that the schema has accepted, if it lies out of a range. */
export function within(
  field: string,
  text: string,
  least: string,
  most: string,
  unit?: typeof WHOLE_SECONDS,
): FieldProblem[] {
  const ms = durationMs(text);
  const whole = unit === undefined || ms % 1_000 === 0;
  if (whole && ms >= durationMs(least) && ms <= durationMs(most)) return [];
  const suffix = unit === undefined ? '' : `, in ${unit}`;
  return [finding(field, text, `a duration from "${least}" to "${most}"${suffix}`)];
}
