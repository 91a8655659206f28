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

export const HOST_ADDRESS_RULE = 'the address of one host: not 0.0.0.0/8, multicast, reserved or link-local';
