import { join } from 'node:path';
import { describeError } from '../core/errors.ts';
import type { CodedError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import { ok } from '../core/result.ts';
import type { RawRecord } from '../model/record-set.ts';
import type { Desired } from './policy/desired-state.ts';
import type { Hold } from './policy/guard.ts';
import type { GuardWindow } from './policy/guard-window.ts';
import { peekStateFile, readStateFile, writeStateFile } from './state-file.ts';
import type { StateFileContent } from './state-file.ts';

/** Everything that the next start needs if the store is away, and that the guard needs in any case. */
export interface LastKnownGood {
  readonly desired: Desired;
  /** Raw records in their last good version, by path. */
  readonly good: ReadonlyMap<string, RawRecord>;
  readonly window: GuardWindow;
  readonly hold: Hold | null;
  readonly position: string | null;
  /** Wall-clock milliseconds at which the store last confirmed it. */
  readonly confirmedAt: number;
}

const KIND = { format: 'vipkeeper-last-known-good', version: 3 };

/** Revisions of the store do not fit JSON numbers; good records are JSON themselves, so UTF-8. */
interface SavedRecord {
  readonly path: string;
  readonly text: string;
  readonly created: string;
  readonly modified: string;
}

type Saved = Omit<LastKnownGood, 'good'> & { readonly good: Iterable<SavedRecord> };

export class LastKnownGoodFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(stateDir: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#path = pathIn(stateDir);
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** null when there is none, or none that can be trusted; the latter is logged and the file kept aside. */
  load(): LastKnownGood | null {
    const content = readStateFile(this.#path, KIND);
    if (!content.ok) {
      this.#log.error({ error: describeError(content.error) }, 'the last-known-good file is refused');
      return null;
    }
    return content.value === null ? null : contentOf(content.value);
  }

  save(content: LastKnownGood): void {
    try {
      const saved: Saved = { ...content, good: savedRecords(content.good.values()) };
      writeStateFile(this.#path, KIND, saved, this.#clock.now());
    } catch (error) {
      this.#log.error({ error: describeError(error) }, 'the last-known-good file cannot be written');
    }
  }
}

/**
 * What an agent has accepted, for others than the agent itself: nothing is moved or logged.
 * @returns null when it has accepted nothing yet
 */
export function peekLastKnownGood(stateDir: string): Result<LastKnownGood | null, CodedError> {
  const content = peekStateFile(pathIn(stateDir), KIND);
  if (!content.ok) return content;
  return ok(content.value === null ? null : contentOf(content.value));
}

function pathIn(stateDir: string): string {
  return join(stateDir, 'last-known-good.json');
}

function contentOf({ payload }: StateFileContent): LastKnownGood {
  // The checksum vouches that we wrote it, and the version that we still mean the same by it.
  const saved = payload as Saved;
  const good = new Map<string, RawRecord>();
  for (const { path, text, created, modified } of saved.good) {
    const bytes = Buffer.from(text, 'utf8');
    good.set(path, { path, bytes, created: BigInt(created), modified: BigInt(modified) });
  }
  return { ...saved, good };
}

/** One by one, while they are written. */
function* savedRecords(records: Iterable<RawRecord>): Generator<SavedRecord, void, undefined> {
  for (const { path, bytes, created, modified } of records) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    yield { path, text, created: String(created), modified: String(modified) };
  }
}
