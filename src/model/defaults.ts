import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';

type SchemaNode = Readonly<Record<string, unknown>>;

/**
 * Fills in the defaults of a schema, at every depth: inside lists, inside objects with free names (which the
 * library's own function leaves out), and inside the form of a choice that fits once it is filled in.
 * @param value JSON; it is changed in place where that is possible
 */
export function fillDefaults(schema: TSchema, value: unknown): unknown {
  return fill(schema as SchemaNode, value);
}

function fill(node: SchemaNode, given: unknown): unknown {
  const value = given === undefined && 'default' in node ? structuredClone(node['default']) : given;
  if (Array.isArray(node['anyOf'])) return fillChoice(node['anyOf'] as readonly SchemaNode[], value);
  if (Array.isArray(value)) {
    const items = node['items'] as SchemaNode | undefined;
    return items === undefined ? value : value.map((item) => fill(items, item));
  }
  if (typeof value === 'object' && value !== null) fillObject(node, value as Record<string, unknown>);
  return value;
}

function fillObject(node: SchemaNode, value: Record<string, unknown>): void {
  for (const [name, child] of childrenOf(node, 'properties')) {
    const filled = fill(child, Object.hasOwn(value, name) ? value[name] : undefined);
    if (filled !== undefined) value[name] = filled;
  }
  for (const [pattern, child] of childrenOf(node, 'patternProperties')) {
    const matches = new RegExp(pattern);
    for (const name of Object.keys(value)) if (matches.test(name)) value[name] = fill(child, value[name]);
  }
}

/** The first form that fits; where none does, the value stays as it was, so that problems are about what was written. */
function fillChoice(forms: readonly SchemaNode[], value: unknown): unknown {
  if (value === undefined) return undefined;
  for (const form of forms) {
    const filled = fill(form, structuredClone(value));
    if (Value.Check(form, filled)) return filled;
  }
  return value;
}

function childrenOf(
  node: SchemaNode,
  key: 'properties' | 'patternProperties',
): readonly (readonly [string, SchemaNode])[] {
  const children = node[key];
  return typeof children === 'object' && children !== null
    ? Object.entries(children as Record<string, SchemaNode>)
    : [];
}
