/**
 * One line of a configuration file that is being imported: its words, and what stands in braces behind them. Both
 * grammars (keepalived's and that of its Go clone) are made of these.
 */
export interface Statement {
  /** The file's name as it was asked for, and the line in it, from 1. */
  readonly file: string;
  readonly line: number;
  readonly words: readonly string[];
  /** null = no braces. */
  readonly block: readonly Statement[] | null;
}

/** The word that says what a statement is. */
export function keywordOf({ words }: Statement): string {
  return words[0] ?? '';
}

/** The words behind the keyword, as they would be written. */
export function valueOf({ words }: Statement): string {
  return words.slice(1).join(' ');
}

export function blockOf({ block }: Statement): readonly Statement[] {
  return block ?? [];
}

/** The last statement of that name: later lines overrule earlier ones. */
export function lastOf(block: readonly Statement[], ...keywords: readonly string[]): Statement | undefined {
  return block.findLast((statement) => keywords.includes(keywordOf(statement)));
}
