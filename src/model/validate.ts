import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/schema';
import { Settings } from 'typebox/system';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { defaultsOf } from './defaults.ts';
import { NAME_RULE, nearestName } from './names.ts';
import { quoteFound } from './problem.ts';

/** What is wrong inside one value; the caller adds the path of the record. */
export interface FieldProblem {
  readonly field: string;
  readonly found: string;
  readonly allowed: string;
}

export type Validator<T> = (value: unknown) => Result<T, readonly FieldProblem[]>;

// A union's branches report one error each, so the library's default of eight would hide the one that matters.
Settings.Set({ maxErrors: 200 });

const MAX_PROBLEMS = 20;

interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

type SchemaNode = Record<string, unknown>;

/**
 * Builds a validator that fills in defaults and explains failures in the operator's words. The input is not changed;
 * what needs no default is shared with the value that comes back.
 */
export function validatorOf<S extends TSchema>(schema: S): Validator<Static<S>> {
  const compiled = Compile(schema);
  const fillDefaults = defaultsOf(schema);
  return (value) => {
    const filled = fillDefaults(value);
    if (compiled.Check(filled)) return ok(filled);
    const [, errors] = compiled.Errors(filled);
    const problems = explain(schema as SchemaNode, filled, errors);
    return err(problems.slice(0, MAX_PROBLEMS));
  };
}

function explain(schema: SchemaNode, value: unknown, errors: readonly SchemaError[]): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const seen = new Set<string>();
  for (const error of withoutUnionNoise(schema, errors)) {
    for (const problem of problemsOf(schema, value, error)) {
      const key = `${problem.field}\n${problem.found}`;
      if (seen.has(key)) continue;
      seen.add(key);
      problems.push(problem);
    }
  }
  if (problems.length > 0) return problems;
  return [{ field: '', found: quoteFound(value), allowed: errors[0]?.message ?? 'a valid record' }];
}

function problemsOf(schema: SchemaNode, value: unknown, error: SchemaError): FieldProblem[] {
  const node = nodeAt(schema, error.schemaPath);
  const field = fieldName(error.instancePath);
  if (error.keyword === 'additionalProperties') {
    const { additionalProperties } = error.params as { additionalProperties: readonly string[] };
    const known = Object.keys(node['properties'] ?? {});
    return additionalProperties.map((unknown) => {
      const near = nearestName(unknown, known);
      const hint = near === undefined ? `one of ${known.join(', ')}` : `"${near}"? (known: ${known.join(', ')})`;
      return {
        field: joinField(field, unknown),
        found: `an unknown field ${JSON.stringify(unknown)}`,
        allowed: known.length > 0 ? hint : NAME_RULE,
      };
    });
  }
  if (error.keyword === 'required') {
    return missingProperties(node, error).map((missing) => ({
      field: joinField(field, missing),
      found: 'nothing',
      allowed: allowedBy(childOf(node, missing), 'a value (the field is required)'),
    }));
  }
  // The additionalProperties error of the parent says the same with more words.
  if (error.keyword === 'boolean') return [];
  return [{ field, found: quoteFound(valueAt(value, error.instancePath)), allowed: allowedBy(node, error.message) }];
}

/** Missing fields that have a default are not what is wrong: defaults are filled only where a union branch matches. */
function missingProperties(node: SchemaNode, error: SchemaError): string[] {
  const { requiredProperties } = error.params as { requiredProperties: readonly string[] };
  return requiredProperties.filter((property) => !('default' in childOf(node, property)));
}

/**
 * Of each union that failed, keeps the errors of the branch that the value was meant for, or, if no branch is near,
 * one error for the union as a whole.
 */
function withoutUnionNoise(schema: SchemaNode, errors: readonly SchemaError[]): readonly SchemaError[] {
  let kept = errors;
  const unions = errors.filter((error) => error.keyword === 'anyOf');
  unions.sort((a, b) => b.schemaPath.length - a.schemaPath.length);
  for (const union of unions) {
    const inside = (error: SchemaError): boolean =>
      error.schemaPath.startsWith(`${union.schemaPath}/anyOf/`) && error.instancePath.startsWith(union.instancePath);
    const branch = nearestBranch(schema, union, kept.filter(inside));
    const wanted = branch === undefined ? undefined : `${union.schemaPath}/anyOf/${branch}`;
    kept = kept.filter((error) => {
      if (error === union) return wanted === undefined;
      if (!inside(error)) return true;
      return wanted !== undefined && (error.schemaPath === wanted || error.schemaPath.startsWith(`${wanted}/`));
    });
  }
  return kept;
}

function nearestBranch(schema: SchemaNode, union: SchemaError, inside: readonly SchemaError[]): string | undefined {
  const scores = new Map<string, number>();
  for (const error of inside) {
    const branch = error.schemaPath.slice(`${union.schemaPath}/anyOf/`.length).split('/')[0] ?? '';
    const atRoot = error.instancePath === union.instancePath;
    scores.set(branch, (scores.get(branch) ?? 0) + (atRoot ? rootPenalty(schema, error) : 1));
  }
  const [best, next] = [...scores].sort(([, a], [, b]) => a - b);
  // Where two are equally near, neither was more likely meant than the other.
  if (best === undefined || best[1] >= WRONG_SHAPE || best[1] === next?.[1]) return undefined;
  return best[0];
}

const WRONG_SHAPE = 1_000;

function rootPenalty(schema: SchemaNode, error: SchemaError): number {
  if (error.keyword === 'required') return 10 * missingProperties(nodeAt(schema, error.schemaPath), error).length;
  if (error.keyword === 'additionalProperties') {
    const known = Object.keys(nodeAt(schema, error.schemaPath)['properties'] ?? {});
    const { additionalProperties } = error.params as { additionalProperties: readonly string[] };
    return additionalProperties.some((unknown) => nearestName(unknown, known) !== undefined) ? 5 : 15;
  }
  if (error.keyword === 'type' || error.keyword === 'const' || error.keyword === 'enum') return WRONG_SHAPE;
  return 1;
}

function allowedBy(node: SchemaNode, fallback: string): string {
  if (typeof node['allowed'] === 'string') return node['allowed'];
  if (node['type'] === 'object') return 'an object';
  if (node['type'] === 'array') return 'a list';
  return fallback;
}

function childOf(node: SchemaNode, property: string): SchemaNode {
  const properties = (node['properties'] ?? {}) as Record<string, SchemaNode | undefined>;
  return properties[property] ?? {};
}

/** Walks a JSON pointer as the validator gives it, '#/properties/match/anyOf/0'. */
function nodeAt(schema: SchemaNode, schemaPath: string): SchemaNode {
  let node: unknown = schema;
  for (const part of schemaPath.split('/').slice(1)) {
    if (typeof node !== 'object' || node === null) return {};
    node = (node as Record<string, unknown>)[unescapePointer(part)];
  }
  return typeof node === 'object' && node !== null ? (node as SchemaNode) : {};
}

function valueAt(value: unknown, instancePath: string): unknown {
  let at: unknown = value;
  for (const part of instancePath.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string, unknown>)[unescapePointer(part)];
  }
  return at;
}

/** '/match/ports/1' → 'match.ports[1]'. */
function fieldName(instancePath: string): string {
  return instancePath
    .split('/')
    .slice(1)
    .map(unescapePointer)
    .reduce((field, part) => (/^[0-9]+$/.test(part) ? `${field}[${part}]` : joinField(field, part)), '');
}

function joinField(parent: string, child: string): string {
  return parent === '' ? child : `${parent}.${child}`;
}

function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
