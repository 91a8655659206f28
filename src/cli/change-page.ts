import type { RecordChange } from '../model/record-change.ts';
import { quoteFound } from '../model/problem.ts';
import { parseRecordJson } from '../model/json.ts';
import type { ConfigurationEdit } from './configuration-edit.ts';
import { countText } from './count-text.ts';
import { printable } from './table.ts';

const SIGNS = { add: '+', edit: '~', delete: '-' } as const;
/** More is not read by anybody. */
const MAX_FIELDS = 20;

/** The difference of an edit for people: one line a record, one line a field. */
export function changePage({ changes, kept, passedOver }: ConfigurationEdit): string {
  const lines = changes.flatMap(changeLines);
  if (kept.length > 0) {
    lines.push(`in the store, not in the directory, and kept (--prune deletes): ${shortList(kept)}`);
  }
  if (passedOver.length > 0) {
    lines.push(`not applied, since drains and approvals are no configuration: ${shortList(passedOver)}`);
  }
  return lines.map((line) => `${printable(line)}\n`).join('');
}

export function changeLines(change: RecordChange): readonly string[] {
  return [`${SIGNS[change.kind]} ${change.path}`, ...fieldLines(change).map((line) => `    ${line}`)];
}

/** "3 records added, 1 edited, 2 deleted". */
export function changeSummary(changes: readonly RecordChange[]): string {
  const count = (kind: RecordChange['kind']): number => changes.filter((change) => change.kind === kind).length;
  return `${countText(count('add'), 'record')} added, ${count('edit')} edited, ${count('delete')} deleted`;
}

function fieldLines(change: RecordChange): readonly string[] {
  if (change.kind === 'delete') return [];
  if (change.kind === 'add') {
    const json = parseRecordJson(change.after.bytes);
    return json.ok ? [quoteFound(json.value)] : ['not a JSON object'];
  }
  if (change.fields === null) return ['not a JSON object'];
  const lines = change.fields.map(({ field, before, after }) => {
    return `${field === '' ? '' : `${field}: `}${quoteFound(before)} → ${quoteFound(after)}`;
  });
  if (lines.length <= MAX_FIELDS) return lines;
  return [...lines.slice(0, MAX_FIELDS), `… and ${lines.length - MAX_FIELDS} fields more`];
}

const MAX_NAMED = 10;

export function shortList(names: readonly string[]): string {
  const more = names.length > MAX_NAMED ? `, … (${names.length} in all)` : '';
  return `${names.slice(0, MAX_NAMED).join(', ')}${more}`;
}
