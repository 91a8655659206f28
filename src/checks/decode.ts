import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import type { CheckCatalog, CheckDefinition } from '../model/check-definition.ts';
import { nearestName } from '../model/names.ts';
import { quoteFound } from '../model/problem.ts';
import type { FieldProblem, Validator } from '../model/validate.ts';
import { validatorOf } from '../model/validate.ts';
import { checkTypes } from './catalog.ts';
import { schemaOf } from './schema.ts';

const typeNames: readonly string[] = [...checkTypes.keys()];
const validators = new Map<string, Validator<unknown>>();

/** What the model asks of the check types: reads a record under `config/checks/`, or says what is wrong with it. */
export const checkCatalog: CheckCatalog = { types: typeNames, decode };

function decode(record: Record<string, unknown>): Result<CheckDefinition, readonly FieldProblem[]> {
  const name = record['type'];
  const type = typeof name === 'string' ? checkTypes.get(name) : undefined;
  if (type === undefined) return err([unknownType(name)]);
  let validate = validators.get(type.type);
  if (validate === undefined) {
    validate = validatorOf(schemaOf(type));
    validators.set(type.type, validate);
  }
  const validated = validate(record);
  if (!validated.ok) return validated;
  const problems = type.problems(validated.value);
  return problems.length > 0 ? err(problems) : ok(type.toDefinition(validated.value));
}

function unknownType(found: unknown): FieldProblem {
  const near = typeof found === 'string' ? nearestName(found, typeNames) : undefined;
  const hint = near === undefined ? '' : `; "${near}"?`;
  const allowed = `one of ${typeNames.map((name) => `"${name}"`).join(', ')}${hint}`;
  return { field: 'type', found: quoteFound(found), allowed };
}
