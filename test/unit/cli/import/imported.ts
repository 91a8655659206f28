import { desiredState } from '../../../../src/agent/policy/desired.ts';
import { checkCatalog } from '../../../../src/checks/decode.ts';
import type { Imported } from '../../../../src/cli/import/import-report.ts';
import { RecordDecoder } from '../../../../src/model/decode.ts';
import type { Problem } from '../../../../src/model/problem.ts';
import type { RawRecord } from '../../../../src/model/record-set.ts';

/** What an agent would find wrong with the records. */
export function problemsOf({ records }: Imported): readonly Problem[] {
  const raw = new Map(
    [...records].map(([path, record]): [string, RawRecord] => {
      return [path, { path, bytes: Buffer.from(JSON.stringify(record)), created: 1n, modified: 1n }];
    }),
  );
  const decoded = new RecordDecoder(checkCatalog).decode(raw, new Map());
  return [...decoded.problems, ...desiredState(decoded.records, 'lb1', null, decoded.revision).problems];
}

/** "12 left out: why", for each note. */
export function notesOf({ notes }: Imported): string[] {
  return notes.map(({ line, kind, why }) => `${line} ${kind}: ${why}`);
}
