import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { lint } from '../../agent/policy/lint.ts';
import { describeError } from '../../core/errors.ts';
import { EXIT_CODES } from '../../core/exit-codes.ts';
import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { IpAddress } from '../../model/address.ts';
import { formatProblem } from '../../model/problem.ts';
import type { RawRecord } from '../../model/record-set.ts';
import { countText } from '../count-text.ts';
import { importGoClone } from '../import/go-clone.ts';
import type { Imported, ImportNote } from '../import/import-report.ts';
import { importKeepalived } from '../import/keepalived.ts';
import type { TextFile } from '../import/keepalived-text.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';
import { writeRecordFolder } from '../record-folder.ts';
import { printable } from '../table.ts';

export const IMPORT_FORMATS = ['keepalived', 'go-keepalived'] as const;

export interface ImportOptions {
  readonly format: (typeof IMPORT_FORMATS)[number];
  readonly configId?: string;
  readonly markAddress?: ReadonlyMap<number, readonly IpAddress[]>;
  readonly force?: boolean;
  readonly json?: boolean;
}

/**
 * `vipkeeper import FILE [DIR]`: records out of somebody else's configuration, and a report of what is not in them.
 * Nothing is written to a store: DIR is for `lint`, `plan` and `apply`.
 * @returns the exit code
 */
export async function importRecords(
  context: CliContext,
  path: string,
  folder: string | undefined,
  options: ImportOptions,
): Promise<number> {
  const { io, deps } = context;
  const imported = convert({ path, text: textOf(path) }, options);
  if (!imported.ok) throw new CliFailure('invalid', imported.error);
  const { records, notes } = imported.value;
  const files = recordsOf(imported.value);
  const { findings } = lint(new Map(files.map((record) => [record.path, record])), deps.checks);
  if (folder !== undefined) {
    await writeRecordFolder(folder, new Map([['config', files]]), { force: options.force === true });
  }
  if (options.json === true) {
    const document = { records: Object.fromEntries(records), notes, findings };
    io.out(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    io.out(notes.map((note) => `${printable(noteLine(note))}\n`).join(''));
    io.out(findings.map((finding) => `${printable(`${finding.severity}: ${formatProblem(finding)}`)}\n`).join(''));
    io.out(`${summary(records.size, notes, folder)}\n`);
  }
  return findings.some(({ severity }) => severity === 'error') ? EXIT_CODES.invalid.code : EXIT_CODES.ok.code;
}

function convert(file: TextFile, options: ImportOptions): Result<Imported, string> {
  if (options.format === 'go-keepalived') return importGoClone(file);
  return importKeepalived(file, {
    configId: options.configId ?? null,
    markAddresses: options.markAddress ?? new Map(),
    readIncluded: (pattern, from) => readIncluded(pattern, from),
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliFailure('failure', describeError(error));
  }
}

/** The files of a pattern in the order of their names; a pattern has its stars in the name of the file. */
function readIncluded(pattern: string, from: string): Result<readonly TextFile[], string> {
  const whole = isAbsolute(pattern) ? pattern : join(dirname(from), pattern);
  try {
    if (!/[*?]/.test(pattern)) return ok([{ path: whole, text: readFileSync(whole, 'utf8') }]);
    const folder = dirname(whole);
    if (/[*?]/.test(folder)) return err(`${pattern}: only the name of a file may have a star in it`);
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    const wanted = names.map(({ name }) => name).filter((name) => matches(name, basename(whole)));
    return ok(
      wanted.sort().map((name) => ({ path: join(folder, name), text: readFileSync(join(folder, name), 'utf8') })),
    );
  } catch (error) {
    return err(describeError(error));
  }
}

function matches(name: string, pattern: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  const expression = escaped.replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(name) && !name.startsWith('.');
}

function recordsOf({ records }: Imported): readonly RawRecord[] {
  return [...records].map(([path, record]) => {
    const bytes = Buffer.from(`${JSON.stringify(record, null, 2)}\n`);
    return { path, bytes, created: 0n, modified: 0n };
  });
}

function noteLine({ file, line, found, kind, why }: ImportNote): string {
  return `${file}:${line}: ${kind}: ${found}: ${why}`;
}

function summary(records: number, notes: readonly ImportNote[], folder: string | undefined): string {
  const count = (kind: ImportNote['kind']): number => notes.filter((note) => note.kind === kind).length;
  const where = folder === undefined ? '(name a directory to keep them)' : `in ${folder}`;
  const lines = `${countText(count('left out'), 'line')} left out, ${count('changed')} changed`;
  return `${countText(records, 'record')} ${where}; ${lines}`;
}
