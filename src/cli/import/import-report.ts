import type { Statement } from './statement.ts';
import { keywordOf } from './statement.ts';

/** Something that did not become part of a record, or became something else. */
export interface ImportNote {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The line, or its beginning. */
  readonly found: string;
  readonly kind:
    /** It is in no record. */
    | 'left out'
    /** It is in a record, but means something else there. */
    | 'changed';
  readonly why: string;
}

/** Records by path ('config/vips/web'), and what could not be carried over. */
export interface Imported {
  readonly records: ReadonlyMap<string, object>;
  readonly notes: readonly ImportNote[];
}

const FOUND_LIMIT = 80;

/** Collects notes while a file is converted. The same note about the same line is made once. */
export class ImportReport {
  readonly #notes = new Map<string, ImportNote>();

  leftOut(statement: Statement, why: string): void {
    this.#note(statement, 'left out', why);
  }

  changed(statement: Statement, why: string): void {
    this.#note(statement, 'changed', why);
  }

  /** Every statement of a block that the caller has no use for. */
  unknownIn(block: readonly Statement[], known: ReadonlySet<string>, explanations: ReadonlyMap<string, string>): void {
    for (const statement of block) {
      const keyword = keywordOf(statement);
      if (known.has(keyword)) continue;
      this.leftOut(statement, explanations.get(keyword) ?? 'nothing here stands for it');
    }
  }

  /** By file, then in the order of its lines. */
  notes(): readonly ImportNote[] {
    return [...this.#notes.values()].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
  }

  #note(statement: Statement, kind: ImportNote['kind'], why: string): void {
    const { file, line, words } = statement;
    const text = words.join(' ');
    const found = text.length > FOUND_LIMIT ? `${text.slice(0, FOUND_LIMIT)}…` : text;
    this.#notes.set(`${file}:${line} ${kind} ${why}`, { file, line, found, kind, why });
  }
}
