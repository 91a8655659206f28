import { parseAddress } from '../../model/address.ts';

/*
 * One spelling for rules: that in which we write them, made from what `nft --json` lists (libnftables-json(5)), so that
 * rules can be compared as text. Only what our own rules consist of has a spelling; anything else becomes its JSON,
 * which equals no rule of ours.
 */

/** A rule as we write it, without the chain. */
export function ruleText(statements: readonly unknown[], comment: string | null): string {
  const words = statements.map(statementText).join(' ');
  return comment === null ? words : withComment(words, comment);
}

export function withComment(rule: string, comment: string): string {
  return `${rule} comment "${comment}"`;
}

/** The elements of an anonymous map or set. Their order means nothing, so it is always the same. */
export function mapText(elements: readonly string[]): string {
  return `{ ${elements.toSorted().join(', ')} }`;
}

type Fields = Readonly<Record<string, unknown>>;

function statementText(statement: unknown): string {
  const [name, value] = only(statement);
  return STATEMENTS[name]?.(value) ?? JSON.stringify(statement);
}

const STATEMENTS: Readonly<Record<string, (value: unknown) => string | null>> = {
  counter: (value) => (typeof value === 'string' ? `counter name "${value}"` : null),
  goto: (value) => `goto ${String(fields(value)['target'])}`,
  jump: (value) => `jump ${String(fields(value)['target'])}`,
  drop: () => 'drop',
  match: (value) => {
    const { op, left, right } = fields(value);
    return `${expressionText(left)} ${String(op)} ${expressionText(right)}`;
  },
  vmap: (value) => {
    const { key, data } = fields(value);
    return `${expressionText(key)} vmap ${expressionText(data)}`;
  },
  set: (value) => {
    const { op, elem, set } = fields(value);
    return `${String(op)} ${String(set)} { ${expressionText(elem)} }`;
  },
  dnat: (value) => {
    const { family, addr, port } = fields(value);
    const address = expressionText(addr);
    if (port === undefined) return `dnat ${String(family)} to ${address}`;
    return `dnat ${String(family)} to ${endpointText(address, expressionText(port))}`;
  },
  mangle: (value) => {
    const { key, value: to } = fields(value);
    return `${expressionText(key)} set ${expressionText(to)}`;
  },
};

/** `10.0.0.1:80` or `[2001:db8::1]:80`. */
export function endpointText(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function expressionText(expression: unknown): string {
  if (typeof expression === 'number') return String(expression);
  if (typeof expression === 'string') return parseAddress(expression) ?? expression;
  const [name, value] = only(expression);
  return EXPRESSIONS[name]?.(value) ?? JSON.stringify(expression);
}

const EXPRESSIONS: Readonly<Record<string, (value: unknown) => string | null>> = {
  payload: (value) => `${String(fields(value)['protocol'])} ${String(fields(value)['field'])}`,
  meta: (value) => `meta ${String(fields(value)['key'])}`,
  concat: (value) => items(value).map(expressionText).join(' . '),
  '&': (value) => items(value).map(expressionText).join(' & '),
  range: (value) => items(value).map(expressionText).join('-'),
  set: (value) => mapText(items(value).map(elementText)),
  numgen: (value) => {
    const { mode, mod, offset } = fields(value);
    return offset === 0 || offset === undefined ? `numgen ${String(mode)} mod ${String(mod)}` : null;
  },
  jhash: (value) => {
    const { mod, seed, offset, expr } = fields(value);
    if (offset !== undefined && offset !== 0) return null;
    return `jhash ${expressionText(expr)} mod ${String(mod)} seed ${String(seed)}`;
  },
};

/** Of a map `[key, verdict]`, of a set the key alone. */
function elementText(element: unknown): string {
  if (!Array.isArray(element)) return expressionText(element);
  const [key, verdict] = element as readonly unknown[];
  return `${expressionText(key)} : ${statementText(verdict)}`;
}

/** The one member of an object that stands for a statement or an expression. */
function only(value: unknown): readonly [name: string, value: unknown] {
  const members = Object.entries(fields(value));
  const [first] = members;
  return first === undefined || members.length > 1 ? ['', value] : first;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
