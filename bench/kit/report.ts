/** One measured number, beside what was measured in the same run to judge it by. */
export interface Figure {
  /** "store/zookeeper: snapshot to desired, wall". */
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** What else does the same work, or the least that it can cost; null = there is nothing to compare with. */
  readonly peer: { readonly name: string; readonly value: number } | null;
  /** null = told for the record. */
  readonly goal: Goal | null;
}

export interface Goal {
  /** Judge the value itself, or the value divided by the peer's. */
  readonly of: 'value' | 'ratio';
  readonly relation: '<' | '<=' | '=';
  readonly limit: number;
}

export const below = (limit: number): Goal => ({ of: 'value', relation: '<', limit });
export const exactly = (limit: number): Goal => ({ of: 'value', relation: '=', limit });
export const ratioAtMost = (limit: number): Goal => ({ of: 'ratio', relation: '<=', limit });

/** What a benchmark tells while it runs. */
export interface Reporter {
  figure(figure: Figure): void;
  /** Progress and circumstances, for people only. */
  note(text: string): void;
}

/** A file of bench/ exports one as `bench`; its name is the file's. */
export interface Bench {
  /** One line for the list. */
  readonly about: string;
  /** Those that it measures one after another, where it measures stores. */
  readonly stores?: readonly string[];
  /** @param stores the one of `stores` that was asked for, or all of them */
  readonly run: (report: Reporter, stores: readonly string[]) => Promise<void>;
}

/** The ratio to the peer, null without one. */
export function ratioOf({ value, peer }: Figure): number | null {
  return peer === null || peer.value === 0 ? null : value / peer.value;
}

/** null = there is no goal, or nothing to hold it against. */
export function isMet(figure: Figure): boolean | null {
  const { goal, value } = figure;
  if (goal === null) return null;
  const judged = goal.of === 'value' ? value : ratioOf(figure);
  if (judged === null) return null;
  if (goal.relation === '=') return judged === goal.limit;
  return goal.relation === '<' ? judged < goal.limit : judged <= goal.limit;
}

function goalText(figure: Figure): string | null {
  const { goal, unit } = figure;
  if (goal === null) return null;
  return goal.of === 'value' ? `${goal.relation} ${goal.limit} ${unit}` : `ratio ${goal.relation} ${goal.limit}`;
}

/** One line for a machine. */
export function jsonLine(figure: Figure): string {
  const { peer, unit } = figure;
  return JSON.stringify({
    figure: figure.figure,
    value: rounded(figure.value),
    unit,
    peer: peer?.name ?? null,
    peerValue: peer === null ? null : rounded(peer.value),
    ratio: optional(ratioOf(figure)),
    goal: goalText(figure),
    met: isMet(figure),
  });
}

/** A table for people. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { peer, unit } = figure;
    const met = isMet(figure);
    return [
      figure.figure,
      `${rounded(figure.value)} ${unit}`,
      peer === null ? '' : `${rounded(peer.value)} ${unit} (${peer.name})`,
      String(optional(ratioOf(figure)) ?? ''),
      goalText(figure) ?? '',
      met === null ? '' : met ? 'met' : 'MISSED',
    ];
  });
  const all = [['figure', 'value', 'peer or floor', 'ratio', 'goal', ''], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function optional(value: number | null): number | null {
  return value === null ? null : rounded(value);
}

/** Three significant digits below a hundred, whole numbers above: more would be noise. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
