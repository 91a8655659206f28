import { join } from 'node:path';
import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { bootId } from './boot-id.ts';
import type { SettingsJournal } from './policy/plan-settings.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

const KIND = { format: 'vipkeeper-settings', version: 1 };

interface Saved {
  /** The kernel begins anew with every boot, so what was found in another is nothing to go back to. */
  readonly bootId: string;
  readonly found: SettingsJournal;
}

/** The values of kernel settings that were found before we changed them, on disk. */
export class SettingsFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(stateDir: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#path = join(stateDir, 'settings.json');
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Empty where there is none, where it is refused, and after a boot. */
  load(): SettingsJournal {
    const content = readStateFile(this.#path, KIND);
    if (!content.ok) {
      const fields = { error: describeError(content.error) };
      this.#log.error(fields, 'the file of the settings is refused: what they were before us is not known any more');
      return {};
    }
    if (content.value === null) return {};
    const saved = content.value.payload as Saved;
    return saved.bootId === bootId() ? saved.found : {};
  }

  /** @throws the error of the file system */
  save(found: SettingsJournal): void {
    writeStateFile(this.#path, KIND, { bootId: bootId(), found }, this.#clock.now());
  }
}
