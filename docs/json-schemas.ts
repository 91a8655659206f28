/* JSON Schema files for editors, made from the schemas that the agent validates with. */

type SchemaNode = Readonly<Record<string, unknown>>;

/**
 * A schema as an operator's editor needs it: a field with a default need not be written, and what a field takes is
 * in its description.
 */
export function editorSchema(schema: object, title: string): SchemaNode {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...(convert(schema) as SchemaNode) };
}

/** The schema of an agent's record, which is a merge patch (RFC 7396): nothing is required, and null deletes. */
export function patchSchema(schema: object, title: string): SchemaNode {
  return editorSchema(asPatch(schema) as object, title);
}

function convert(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(convert);
  if (typeof value !== 'object' || value === null) return value;
  const { allowed, required, ...rest } = value as SchemaNode;
  const node: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(rest)) node[key] = key === 'default' ? inner : convert(inner);
  const needed = withoutDefaults(required, rest['properties']);
  if (needed.length > 0) node['required'] = needed;
  if (typeof allowed === 'string') node['description'] = describe(rest['description'], allowed);
  return node;
}

function withoutDefaults(required: unknown, properties: unknown): readonly string[] {
  if (!Array.isArray(required) || typeof properties !== 'object' || properties === null) return [];
  const fields = properties as Readonly<Record<string, SchemaNode>>;
  return (required as string[]).filter((name) => fields[name] !== undefined && !('default' in fields[name]));
}

function describe(description: unknown, allowed: string): string {
  const takes = `Takes ${allowed}.`;
  return typeof description === 'string' ? `${description} ${takes}` : takes;
}

function asPatch(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asPatch);
  if (typeof value !== 'object' || value === null) return value;
  const { required: _required, ...rest } = value as SchemaNode;
  const node: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(rest)) {
    node[key] = key === 'properties' || key === 'patternProperties' ? deletable(inner as SchemaNode) : asPatch(inner);
  }
  return node;
}

function deletable(fields: SchemaNode): SchemaNode {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const { description, ...rest } = asPatch(field) as SchemaNode;
      const about = description === undefined ? {} : { description };
      return [name, name === '_meta' ? field : { ...about, anyOf: [rest, { type: 'null' }] }];
    }),
  );
}
