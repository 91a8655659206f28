import { parseRecordJson } from '../../model/json.ts';
import { isFolder } from '../../model/record-change.ts';
import type { RawRecord } from '../../model/record-set.ts';
import { revisionOf } from '../../model/revision.ts';
import { withStore } from '../bootstrap-access.ts';
import { readConfig } from '../config-edit.ts';
import { countText } from '../count-text.ts';
import type { CliContext } from '../io.ts';
import { orFail } from '../io.ts';
import { writeRecordFolder } from '../record-folder.ts';

export interface ExportOptions {
  readonly bootstrap: string;
  readonly state?: boolean;
  readonly pretty?: boolean;
  readonly force?: boolean;
}

/** `vipkeeper export [DIR]`: the configuration as files, or as one JSON document. */
export async function exportRecords(
  context: CliContext,
  folder: string | undefined,
  options: ExportOptions,
): Promise<void> {
  await withStore(context, options.bootstrap, async (store) => {
    const config = [...(await readConfig(store)).values()];
    const tops = new Map<string, readonly RawRecord[]>([['config', config]]);
    if (options.state === true) {
      const state = await store.list('state');
      tops.set('state', !state.ok && state.error.code === 'STORE_NOT_FOUND' ? [] : orFail(state));
    }
    for (const [top, records] of tops) {
      const shown = records.filter((record) => !isFolder(record)).sort((a, b) => (a.path < b.path ? -1 : 1));
      tops.set(top, options.pretty === true ? shown.map(prettied) : shown);
    }
    if (folder === undefined) {
      context.io.out(`${JSON.stringify(documentOf([...tops.values()].flat()), null, 2)}\n`);
      return;
    }
    await writeRecordFolder(folder, tops, { force: options.force === true });
    const count = [...tops.values()].reduce((sum, records) => sum + records.length, 0);
    context.io.out(`${folder}: ${countText(count, 'record')} of ${revisionOf(config)}\n`);
  });
}

/** By path; what is no JSON object is text. */
function documentOf(records: readonly RawRecord[]): Record<string, unknown> {
  return Object.fromEntries(
    records.map(({ path, bytes }) => {
      const json = parseRecordJson(bytes, bytes.length);
      return [path, json.ok ? json.value : new TextDecoder().decode(bytes)];
    }),
  );
}

function prettied(record: RawRecord): RawRecord {
  const json = parseRecordJson(record.bytes, record.bytes.length);
  return json.ok ? { ...record, bytes: Buffer.from(`${JSON.stringify(json.value, null, 2)}\n`) } : record;
}
