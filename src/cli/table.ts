export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number;
  readonly align?: 'left' | 'right';
}

/** Columns two blanks apart, each as wide as its longest cell; the last one is not padded. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], indent = ''): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => cell(column, row)))];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => widthOf(line[at] ?? ''))));
  return lines.map((line) => `${indent}${formatLine(columns, line, widths)}\n`).join('');
}

function cell<Row>(column: Column<Row>, row: Row): string {
  const text = printable(String(column.value(row)));
  return text === '' ? '-' : text;
}

function formatLine<Row>(columns: readonly Column<Row>[], line: readonly string[], widths: readonly number[]): string {
  const cells = line.map((text, at) => {
    const padding = ' '.repeat((widths[at] ?? 0) - widthOf(text));
    return columns[at]?.align === 'right' ? `${padding}${text}` : `${text}${padding}`;
  });
  return cells.join('  ').trimEnd();
}

function widthOf(text: string): number {
  return Array.from(text).length;
}

/**
 * Text that came from a record or from a real, made safe for a terminal: no control characters (C0, DEL, C1), so no
 * escape sequences and no line breaks.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\uFFFD');
}
