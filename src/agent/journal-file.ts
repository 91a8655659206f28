import { join } from 'node:path';
import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { bootId } from './boot-id.ts';
import type { DesiredAgent } from './policy/desired-state.ts';
import { journalFor } from './policy/former-services.ts';
import { emptyJournal } from './policy/journal.ts';
import type { Journal } from './policy/journal.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

const KIND = { format: 'vipkeeper-journal', version: 1 };

interface Saved extends Journal {
  readonly bootId: string;
}

/** The journal on disk. Without it nothing may be written to the kernel, so a failed write is the caller's error. */
export class JournalFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(stateDir: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#path = join(stateDir, 'journal.json');
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * For the dataplane that is to be used now. A refused journal counts as empty: what is wanted is adopted again, and the
   * rest of the kernel is foreign.
   */
  load(dataplane: DesiredAgent['dataplane']): Journal {
    const content = readStateFile(this.#path, KIND);
    if (!content.ok) {
      const fields = { error: describeError(content.error) };
      this.#log.error(
        fields,
        'the journal is refused: entries that are no longer wanted will not be recognised as ours',
      );
      return journalFor(dataplane, emptyJournal, true);
    }
    if (content.value === null) return journalFor(dataplane, emptyJournal, true);
    const { bootId: savedIn, ...journal } = content.value.payload as Saved;
    return journalFor(dataplane, journal, savedIn === bootId());
  }

  /** @throws the error of the file system */
  save(journal: Journal): void {
    const saved: Saved = { ...journal, bootId: bootId() };
    writeStateFile(this.#path, KIND, saved, this.#clock.now());
  }
}
