import { NAME_RULE } from '../src/model/names.ts';
import type { FieldRow } from './field-table.ts';
import { fieldRows } from './field-table.ts';

/* The little Markdown that generated pages need. */

export const GENERATED =
  '<!-- Made by "npm run docs" from the schemas and tables in the sources; edit those, not this file. -->\n';

/** A page from its blocks, with a blank line between them. */
export function page(title: string, ...blocks: readonly string[]): string {
  return [`${GENERATED}\n# ${title}`, ...blocks].map((block) => `${block.trimEnd()}\n`).join('\n');
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |\n`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('');
}

/** All fields of a schema, one row each. */
export function fieldTable(schema: object): string {
  const rows = fieldRows(schema).map((row: FieldRow) => {
    const allowed = row.allowed === NAME_RULE ? 'a name' : row.allowed;
    return [code(row.field), row.type, row.fallback, allowed, row.description];
  });
  return table(['field', 'type', 'default', 'allowed', 'what it is'], rows);
}

/** All fields of what agents write or answer: there is nothing to choose, so defaults and bounds are left out. */
export function outputTable(schema: object): string {
  const rows = fieldRows(schema).map(({ field, type, fallback, allowed, description }) => {
    const words = allowed === '' ? type : allowed;
    return [code(field), fallback === '' ? `${words}; may be absent` : words, description];
  });
  return table(['field', 'type', 'what it is'], rows);
}

export function json(value: unknown): string {
  return block('json', compact(value));
}

export function block(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n`;
}

export function code(text: string): string {
  return `\`${text}\``;
}

const LINE_WIDTH = 100;

/** JSON that puts on one line what fits on one. */
function compact(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value, null, 1)
    .replaceAll(/\n\s*/g, ' ')
    .replaceAll(/\[ ([^[\]]*) \]/g, '[$1]');
  if (typeof value !== 'object' || value === null || flat.length + indent.length <= LINE_WIDTH) return flat;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((item) => deeper + compact(item, deeper)).join(',\n')}\n${indent}]`;
  }
  const fields = Object.entries(value).map(
    ([key, inner]) => `${deeper}${JSON.stringify(key)}: ${compact(inner, deeper)}`,
  );
  return `{\n${fields.join(',\n')}\n${indent}}`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
