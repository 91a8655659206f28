import { Coalescer } from '../../core/coalescer.ts';
import type { CodedError } from '../../core/errors.ts';
import { describeError } from '../../core/errors.ts';
import { parseRecordJson } from '../../model/json.ts';
import type { RecordChange } from '../../model/record-change.ts';
import { isFolder, recordChanges } from '../../model/record-change.ts';
import type { StoreClient, StoreRecord } from '../../sources/source.ts';
import { withStore } from '../bootstrap-access.ts';
import { changeLines } from '../change-page.ts';
import { countText } from '../count-text.ts';
import type { CliContext } from '../io.ts';
import { orFail } from '../io.ts';
import { recordPath } from '../record-paths.ts';
import { printable } from '../table.ts';

export interface WatchOptions {
  readonly bootstrap: string;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** After a reading that failed though the store is there. */
const RETRY_MS = 1_000;

/** `vipkeeper watch [PREFIX]`: says what changes, until it is interrupted. */
export async function watchRecords(context: CliContext, text: string, options: WatchOptions): Promise<void> {
  await withStore(context, options.bootstrap, async (store, { root }) => {
    const prefix = recordPath(text, root);
    const first = orFail(await store.list(prefix));
    const watcher = new RecordWatcher(context, store, prefix, first, options);
    await watcher.run();
  });
}

/** Reads again whenever the store says that something may have changed, and shows what is not as it was. */
class RecordWatcher {
  readonly #context: CliContext;
  readonly #store: StoreClient;
  readonly #prefix: string;
  readonly #options: WatchOptions;
  readonly #readings: Coalescer;
  #known: ReadonlyMap<string, StoreRecord>;
  #lost = false;

  constructor(
    context: CliContext,
    store: StoreClient,
    prefix: string,
    first: readonly StoreRecord[],
    options: WatchOptions,
  ) {
    this.#context = context;
    this.#store = store;
    this.#prefix = prefix;
    this.#options = options;
    this.#known = byPath(first);
    this.#readings = new Coalescer(
      () => this.#read(),
      (error) => context.io.err(`vipkeeper: ${describeError(error)}\n`),
    );
  }

  async run(): Promise<void> {
    const { io, deps } = this.#context;
    const count = [...this.#known.values()].filter((record) => !isFolder(record)).length;
    io.err(`watching ${countText(count, 'record')} at and below ${this.#prefix}\n`);
    const stop = this.#store.watch(this.#prefix, {
      onChange: this.#readings.poke,
      onState: (lost) => this.#onState(lost),
    });
    await deps.interrupted();
    stop();
    await this.#readings.stop();
  }

  #onState(lost: CodedError | null): void {
    if ((lost !== null) === this.#lost) return;
    this.#lost = lost !== null;
    const { io } = this.#context;
    if (this.#options.json === true) {
      this.#line(lost === null ? { store: 'back' } : { store: 'lost', error: describeError(lost) });
    } else if (lost === null) io.err('the store is there again\n');
    else io.err(`${printable(`the store is lost: ${describeError(lost)}; it is tried again`)}\n`);
  }

  async #read(): Promise<void> {
    const listed = await this.#store.list(this.#prefix);
    if (!listed.ok) {
      // A lost store pokes when it is back; any other failure has nobody to do so.
      this.#onState(listed.error);
      this.#context.deps.clock.after(RETRY_MS, this.#readings.poke);
      return;
    }
    this.#onState(null);
    const now = byPath(listed.value);
    for (const change of recordChanges(this.#known, now)) this.#show(change);
    this.#known = now;
  }

  #show(change: RecordChange): void {
    const shown = this.#options.all === true ? change : withoutClocks(change);
    if (shown === null) return;
    const { io, deps } = this.#context;
    if (this.#options.json === true) this.#line(jsonOf(shown));
    else {
      const [head = '', ...rest] = changeLines(shown).map(printable);
      io.out([`${new Date(deps.clock.now()).toISOString()} ${head}`, ...rest].map((line) => `${line}\n`).join(''));
    }
  }

  #line(fields: object): void {
    const { io, deps } = this.#context;
    io.out(`${JSON.stringify({ at: new Date(deps.clock.now()).toISOString(), ...fields })}\n`);
  }
}

function byPath(records: readonly StoreRecord[]): ReadonlyMap<string, StoreRecord> {
  return new Map(records.map((record) => [record.path, record]));
}

/** What agents refresh now and then though nothing else is new. */
const CLOCKS: ReadonlySet<string> = new Set(['at', 'validUntil']);

/** null = only clocks have moved on. */
function withoutClocks(change: RecordChange): RecordChange | null {
  if (change.kind !== 'edit' || change.fields === null || !change.path.startsWith('state/')) return change;
  const fields = change.fields.filter(({ field }) => !CLOCKS.has(field));
  return fields.length === 0 ? null : { ...change, fields };
}

function jsonOf(change: RecordChange): object {
  const { kind, path } = change;
  switch (change.kind) {
    case 'add': {
      const json = parseRecordJson(change.after.bytes, change.after.bytes.length);
      return json.ok
        ? { kind, path, value: json.value }
        : { kind, path, text: new TextDecoder().decode(change.after.bytes) };
    }
    case 'edit':
      return { kind, path, fields: change.fields };
    case 'delete':
      return { kind, path };
  }
}
