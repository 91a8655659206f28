import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { SourceLine } from './grammar.ts';
import { where } from './grammar.ts';

/** Reads the files that a pattern names, relative to the file that asks; fails with what is wrong, for people. */
export type ReadIncluded = (pattern: string, from: string) => Result<readonly TextFile[], string>;

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

export interface KeepalivedTextOptions {
  /** What `keepalived -i` would say: lines that start with "@other" are not ours. */
  readonly configId: string | null;
  readonly readIncluded: ReadIncluded;
}

const MAX_FILES = 500;
const MAX_LINES = 2_000_000;
const MAX_SUBSTITUTIONS = 8;
/** Definitions that use others many times grow by powers. */
const MAX_LINE_CHARACTERS = 65_536;
/** include, includer, includem, includew, includeb, includea: they differ in what keepalived does about missing files. */
const INCLUDE = /^\s*include[rmwba]*\s+(?:"([^"]+)"|(\S+))\s*$/;
const DEFINITION = /^\s*\$([A-Za-z_][A-Za-z0-9_]*)=(.*)$/;
const USE = /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;
const CONDITION = /^\s*@(!?)([A-Za-z0-9_.-]+)\s+(.*)$/;

/**
 * The lines that keepalived would see (keepalived.conf(5): "conditional configuration", "parameter substitution",
 * "include"): included files in place, `@id` lines chosen, `$NAME=text` put in. Definitions of several lines and the
 * functions ~SEQ, ~LST and ~RND are refused: expanded text can be had from keepalived itself.
 */
export function keepalivedLines(file: TextFile, options: KeepalivedTextOptions): Result<readonly SourceLine[], string> {
  const expander = new Expander(options);
  const failure = expander.take(file, []);
  return failure === null ? ok(expander.lines) : err(failure);
}

class Expander {
  readonly lines: SourceLine[] = [];
  readonly #options: KeepalivedTextOptions;
  readonly #definitions = new Map<string, string>();
  #files = 0;

  constructor(options: KeepalivedTextOptions) {
    this.#options = options;
  }

  /** @returns what is wrong, null if nothing */
  take(file: TextFile, within: readonly string[]): string | null {
    if (within.includes(file.path)) return `${file.path} includes itself`;
    if (++this.#files > MAX_FILES) return `more than ${MAX_FILES} files`;
    const texts = file.text.split(/\r?\n/);
    if (this.lines.length + texts.length > MAX_LINES) return `more than ${MAX_LINES} lines`;
    for (const [index, text] of texts.entries()) {
      const failure = this.#takeLine({ file: file.path, line: index + 1, text }, [...within, file.path]);
      if (failure !== null) return failure;
    }
    return null;
  }

  #takeLine(line: SourceLine, within: readonly string[]): string | null {
    const chosen = this.#choose(line.text);
    if (chosen === null) return null;
    const definition = DEFINITION.exec(chosen);
    if (definition !== null) return this.#define(line, definition[1] ?? '', definition[2] ?? '');
    const expanded = this.#substitute(chosen);
    if (!expanded.ok) return `${where(line)}: ${expanded.error}`;
    const text = expanded.value;
    if (/^\s*[^#!]*~(SEQ|LST|RND)\(/.test(text)) {
      return `${where(line)}: ~SEQ, ~LST and ~RND are not understood; write the lines out`;
    }
    const include = INCLUDE.exec(text);
    if (include === null) {
      this.lines.push({ ...line, text });
      return null;
    }
    const files = this.#options.readIncluded(include[1] ?? include[2] ?? '', line.file);
    if (!files.ok) return `${where(line)}: ${files.error}`;
    for (const file of files.value) {
      const failure = this.take(file, within);
      if (failure !== null) return failure;
    }
    return null;
  }

  /** The line without its condition, null if the condition is not met. */
  #choose(text: string): string | null {
    const condition = CONDITION.exec(text);
    if (condition === null) return text;
    const [, not = '', id = '', rest = ''] = condition;
    const met = (id === this.#options.configId) === (not === '');
    return met ? rest : null;
  }

  #define(line: SourceLine, name: string, text: string): string | null {
    if (text.trimEnd().endsWith('\\')) {
      return `${where(line)}: a definition of several lines is not understood; write the lines out`;
    }
    this.#definitions.set(name, text.trim().replace(/^"(.*)"$/, '$1'));
    return null;
  }

  #substitute(text: string): Result<string, string> {
    if (!text.includes('$') || /^\s*[#!]/.test(text)) return ok(text);
    const missing: string[] = [];
    // Definitions may use others, to a depth that no loop exceeds.
    let current = text;
    for (let depth = 0; depth < MAX_SUBSTITUTIONS && missing.length === 0; depth++) {
      const next = current.replaceAll(USE, (whole, braced: string | undefined, bare: string | undefined) => {
        const value = this.#definitions.get(braced ?? bare ?? '');
        // A regular expression may end with a dollar sign, and have words behind it.
        if (value === undefined && braced !== undefined) missing.push(braced);
        return value ?? whole;
      });
      if (next === current) break;
      if (next.length > MAX_LINE_CHARACTERS)
        return err(`definitions make it longer than ${MAX_LINE_CHARACTERS} characters`);
      current = next;
    }
    return missing.length === 0 ? ok(current) : err(`$\{${missing.join('}, ${')}} is not defined`);
  }
}
