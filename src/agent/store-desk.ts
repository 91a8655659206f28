import type {
  DeskAnswer,
  DeskReceipt,
  DeskRefusal,
  DrainRequest,
  Expected,
  OperatorDesk,
} from '../api/operator-desk.ts';
import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { CheckCatalog } from '../model/check-definition.ts';
import { DRAINS, drainName, drainTargets, drainValue } from '../model/drain-request.ts';
import { isFolder, withEdits } from '../model/record-change.ts';
import type { StoreClient, StoreRecord } from '../sources/source.ts';
import { editProblems } from './policy/edit-problems.ts';
import { deleteOp, putOp, readConfiguration } from './record-writing.ts';

export interface DeskDeps {
  /** With the operators' credentials; opened for each request, since there are few. */
  readonly openStore: () => Promise<Result<StoreClient, CodedError>>;
  readonly credentials: () => Result<string, CodedError>;
  readonly checks: CheckCatalog;
  /** Name of this agent. */
  readonly agent: string;
}

type Records = ReadonlyMap<string, StoreRecord>;

/** Writes for the API, with the operators' credentials and never with those of the daemon. */
export class StoreDesk implements OperatorDesk {
  readonly #deps: DeskDeps;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  credentials(): Result<string, CodedError> {
    return this.#deps.credentials();
  }

  put(path: string, bytes: Uint8Array, expected: Expected): DeskAnswer {
    return this.#edit((store, before) => this.#put(store, before, path, bytes, expected));
  }

  remove(path: string, expected: Expected): DeskAnswer {
    return this.#edit(async (store, before) => {
      const current = recordAt(before, path);
      if (current === undefined) return err({ kind: 'notFound', message: `there is no record at ${path}` });
      const stale = staleness(path, current, expected);
      if (stale !== null) return err(stale);
      const below = [...before.values()].filter((record) => record.path.startsWith(`${path}/`) && !isFolder(record));
      if (below.length > 0) {
        return err({ kind: 'conflict', message: `${path} has ${below.length} records below it; delete them first` });
      }
      const invalid = this.#problems(before, path, null);
      if (invalid !== null) return err(invalid);
      const written = await store.write([deleteOp(current)]);
      return written.ok ? ok({ path, outcome: 'deleted', revision: null }) : err(refused(written.error));
    });
  }

  drain(request: DrainRequest): DeskAnswer {
    const { target } = request;
    return this.#edit(async (store, before) => {
      const targets = drainTargets(before);
      const known = [...targets].find(([, other]) => other === target);
      if (known !== undefined) {
        return err({ kind: 'conflict', message: `${target} is drained already, by ${DRAINS}${known[0]}` });
      }
      const path = `${DRAINS}${drainName(target, targets)}`;
      return this.#put(store, before, path, Buffer.from(JSON.stringify(drainValue(request))), null);
    });
  }

  approve(revision: string, approval: { readonly by: string; readonly why: string }): DeskAnswer {
    const path = `config/approvals/${revision.replace('sha256:', '')}`;
    return this.put(path, Buffer.from(JSON.stringify(approval)), null);
  }

  async #put(store: StoreClient, before: Records, path: string, bytes: Uint8Array, expected: Expected): DeskAnswer {
    const current = recordAt(before, path);
    const stale = staleness(path, current, expected);
    if (stale !== null) return err(stale);
    const invalid = this.#problems(before, path, bytes);
    if (invalid !== null) return err(invalid);
    if (current !== undefined && Buffer.compare(current.bytes, bytes) === 0) {
      return ok({ path, outcome: 'unchanged', revision: current.modified });
    }
    const written = await store.write([putOp(path, bytes, before.get(path))]);
    if (!written.ok) return err(refused(written.error));
    const now = await store.get(path);
    const outcome: DeskReceipt['outcome'] = current === undefined ? 'created' : 'changed';
    return ok({ path, outcome, revision: now.ok ? (now.value?.modified ?? null) : null });
  }

  /** Advice does not hold an edit back. */
  #problems(before: Records, path: string, bytes: Uint8Array | null): DeskRefusal | null {
    const after = withEdits(before, new Map([[path, bytes]]));
    const { checks, agent } = this.#deps;
    const problems = editProblems(before, after, checks, agent).filter(({ effect }) => effect !== 'in force');
    return problems.length === 0 ? null : { kind: 'invalid', problems };
  }

  async #edit(job: (store: StoreClient, before: Records) => DeskAnswer): DeskAnswer {
    const store = await this.#deps.openStore();
    if (!store.ok) return err(refused(store.error));
    try {
      const before = await readConfiguration(store.value);
      return before.ok ? await job(store.value, before.value) : err(refused(before.error));
    } finally {
      await store.value.close();
    }
  }
}

function recordAt(records: Records, path: string): StoreRecord | undefined {
  const record = records.get(path);
  return record === undefined || isFolder(record) ? undefined : record;
}

function staleness(path: string, current: StoreRecord | undefined, expected: Expected): DeskRefusal | null {
  if (expected === undefined || expected === (current?.modified ?? null)) return null;
  const now = current === undefined ? 'there is no record now' : `its revision is ${current.modified}`;
  const wanted = expected === null ? 'is not to exist' : `is to be at revision ${expected}`;
  return { kind: 'conflict', message: `${path} ${wanted}, but ${now}` };
}

function refused(error: CodedError): DeskRefusal {
  return error.code === 'STORE_CONFLICT' ? { kind: 'conflict', message: error.message } : { kind: 'store', error };
}
