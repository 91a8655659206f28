/* Turns a record's schema into the table that the reference shows: one row for each field, nested ones dotted. */

export interface FieldRow {
  readonly field: string;
  readonly type: string;
  /** The default as code, whether the field is required, or nothing where it may be absent. */
  readonly fallback: string;
  readonly allowed: string;
  readonly description: string;
}

/** A node of a schema, seen as plain JSON. */
export type SchemaNode = Readonly<Record<string, unknown>>;

/** What a field must be: always there, there in its form of the object, or neither. */
type Need = 'required' | 'required in this form' | '';

/** The rows of all fields below an object, or below the forms that it can have, each row once. */
export function fieldRows(schema: object): readonly FieldRow[] {
  const rows = new Map<string, FieldRow>();
  for (const row of rowsBelow(schema as SchemaNode, '', 'required')) rows.set(JSON.stringify(row), row);
  return [...rows.values()];
}

function rowsBelow(node: SchemaNode, parent: string, need: Need): readonly FieldRow[] {
  const forms = branchesOf(node).filter(({ type }) => type === 'object');
  return [
    ...childrenOf(node).flatMap(([name, child]) => {
      const field = parent === '' ? name : `${parent}.${name}`;
      return rowsOf(child, field, isRequired(node, name) ? need : '');
    }),
    ...namedChildrenOf(node).flatMap((child) => rowsBelow(child, `${parent}.NAME`, 'required')),
    ...forms.flatMap((form) => rowsBelow(form, parent, forms.length > 1 ? 'required in this form' : 'required')),
    ...itemsOf(node).flatMap((item) => rowsBelow(item, `${parent}[]`, 'required')),
  ];
}

function rowsOf(node: SchemaNode, field: string, need: Need): readonly FieldRow[] {
  const fallback = 'default' in node ? `\`${JSON.stringify(node['default'])}\`` : need;
  const row = { field, type: typeName(node), fallback, allowed: allowedOf(node), description: descriptionOf(node) };
  return [row, ...rowsBelow(node, field, 'required')];
}

function allowedOf(node: SchemaNode): string {
  const own = textOf(node, 'allowed');
  if (own !== '' || !Array.isArray(node['enum'])) return own;
  return node['enum'].map((word) => JSON.stringify(word)).join(', ');
}

function descriptionOf(node: SchemaNode): string {
  const own = textOf(node, 'description');
  if (own !== '') return own;
  return (
    branchesOf(node)
      .map(descriptionOf)
      .find((text) => text !== '') ?? ''
  );
}

function isRequired(node: SchemaNode, name: string): boolean {
  return Array.isArray(node['required']) && node['required'].includes(name);
}

function typeName(node: SchemaNode): string {
  if ('const' in node)
    return typeof node['const'] === 'string' ? 'text' : `the number ${JSON.stringify(node['const'])}`;
  if (Array.isArray(node['enum'])) return 'text';
  const branches = branchesOf(node);
  if (branches.length > 0) return [...new Set(branches.map(typeName))].join(' or ');
  switch (node['type']) {
    case 'string':
      return 'text';
    case 'integer':
      return 'whole number';
    case 'number':
      return 'number';
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'array':
      return `list of ${itemsOf(node).map(typeName).join('')}`;
    case 'object':
      return 'object';
    default:
      return 'anything';
  }
}

function childrenOf(node: SchemaNode): readonly (readonly [string, SchemaNode])[] {
  return Object.entries((node['properties'] ?? {}) as Record<string, SchemaNode>);
}

/** What an object with free names holds under each of them. */
function namedChildrenOf(node: SchemaNode): readonly SchemaNode[] {
  return Object.values((node['patternProperties'] ?? {}) as Record<string, SchemaNode>);
}

function branchesOf(node: SchemaNode): readonly SchemaNode[] {
  return (node['anyOf'] ?? []) as readonly SchemaNode[];
}

function itemsOf(node: SchemaNode): readonly SchemaNode[] {
  return node['items'] === undefined ? [] : [node['items'] as SchemaNode];
}

function textOf(node: SchemaNode, key: string): string {
  const value = node[key];
  return typeof value === 'string' ? value : '';
}
