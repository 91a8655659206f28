import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Statement } from './statement.ts';

export interface SourceLine {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

export interface Grammar {
  /** Characters that start a comment, at the start of a word. */
  readonly comments: string;
  /** Whether words may stand in quotation marks. */
  readonly quotes: boolean;
}

const MAX_DEPTH = 16;

/** Splits lines into statements. Braces may stand at the end of a line, on one of their own, or around one line. */
export function parseStatements(lines: readonly SourceLine[], grammar: Grammar): Result<readonly Statement[], string> {
  const top: OpenBlock = { opener: null, statements: [] };
  const open: OpenBlock[] = [top];
  for (const line of lines) {
    const words = splitWords(line.text, grammar);
    if (!words.ok) return err(`${where(line)}: ${words.error}`);
    const failure = takeLine(line, words.value, open);
    if (failure !== null) return err(`${where(line)}: ${failure}`);
  }
  const unclosed = open.at(-1)?.opener;
  if (unclosed !== null && unclosed !== undefined) {
    return err(`${where(unclosed)}: the block "${unclosed.words.join(' ')}" has no closing brace`);
  }
  return ok(top.statements);
}

export function where({ file, line }: Pick<SourceLine, 'file' | 'line'>): string {
  return `${file}:${line}`;
}

interface OpenBlock {
  readonly opener: Statement | null;
  readonly statements: Statement[];
}

/** @returns what is wrong with the line, null if nothing */
function takeLine(line: SourceLine, words: readonly string[], open: OpenBlock[]): string | null {
  let pending: string[] = [];
  const flush = (): void => {
    const { file, line: number } = line;
    if (pending.length > 0) top(open).statements.push({ file, line: number, words: pending, block: null });
    pending = [];
  };
  for (const word of words) {
    if (word === OPEN) {
      flush();
      const named = top(open).statements.pop();
      if (named === undefined || named.block !== null) return 'a brace opens a block that has no name';
      if (open.length > MAX_DEPTH) return `blocks are nested more than ${MAX_DEPTH} deep`;
      const statements: Statement[] = [];
      const opener: Statement = { ...named, block: statements };
      top(open).statements.push(opener);
      open.push({ opener, statements });
    } else if (word === CLOSE) {
      flush();
      if (open.length === 1) return 'a closing brace without an open block';
      open.pop();
    } else {
      pending.push(word);
    }
  }
  flush();
  return null;
}

function top(open: readonly OpenBlock[]): OpenBlock {
  const last = open.at(-1);
  if (last === undefined) throw new RangeError('no block is open');
  return last;
}

/** A brace that is one, as against a brace in quotation marks. */
const OPEN = '\u0000{';
const CLOSE = '\u0000}';

function splitWords(text: string, { comments, quotes }: Grammar): Result<readonly string[], string> {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  const end = (): void => {
    if (word !== null) words.push(word);
    word = null;
  };
  for (const character of text) {
    if (quote !== null) {
      if (character === quote) quote = null;
      else word = `${word ?? ''}${character}`;
    } else if (quotes && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else if (comments.includes(character) && word === null) {
      break;
    } else if (character === '{' || character === '}') {
      end();
      words.push(character === '{' ? OPEN : CLOSE);
    } else if (/\s/.test(character)) {
      end();
    } else {
      word = `${word ?? ''}${character}`;
    }
  }
  if (quote !== null) return err(`a quotation mark (${quote}) is not closed`);
  end();
  return ok(words);
}
