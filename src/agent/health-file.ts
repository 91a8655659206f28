import { join } from 'node:path';
import type { Verdict, Verdicts } from '../checks/port.ts';
import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { rebaseMemory } from './policy/health-memory.ts';
import type { HealthMemory } from './policy/health-memory.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

export interface SavedHealth {
  /** By key of the wanted check. */
  readonly verdicts: Verdicts;
  readonly memory: HealthMemory;
}

const KIND = { format: 'vipkeeper-health', version: 2 };

/** Older health says nothing about now: the checks decide afresh, and reals keep their kernel weight until then. */
const FRESH_MS = 60_000;

interface Saved {
  /** A map where it is written, a list where it is read. */
  readonly verdicts: Iterable<readonly [string, Verdict]>;
  readonly memory: HealthMemory;
  readonly monotonic: number;
}

/** Verdicts and quorums on disk, so that a restart does not forget who is up. */
export class HealthFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(stateDir: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#path = join(stateDir, 'health.json');
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** null when there is none that is both sound and fresh. */
  load(): SavedHealth | null {
    const content = readStateFile(this.#path, KIND);
    if (!content.ok) {
      this.#log.warn({ error: describeError(content.error) }, 'the health file is refused');
      return null;
    }
    if (content.value === null) return null;
    const { payload, savedAt } = content.value;
    const wall = this.#clock.now();
    const age = wall - savedAt;
    if (age < 0 || age > FRESH_MS) {
      this.#log.info({ ageSeconds: Math.round(age / 1000) }, 'the health file is not fresh: checks decide afresh');
      return null;
    }
    const saved = payload as Saved;
    const memory = rebaseMemory(
      saved.memory,
      { monotonic: saved.monotonic, wall: savedAt },
      { monotonic: this.#clock.monotonic(), wall },
    );
    return { verdicts: new Map(saved.verdicts), memory };
  }

  save(health: SavedHealth): void {
    const saved: Saved = {
      verdicts: health.verdicts,
      memory: health.memory,
      monotonic: this.#clock.monotonic(),
    };
    try {
      writeStateFile(this.#path, KIND, saved, this.#clock.now());
    } catch (error) {
      this.#log.warn({ error: describeError(error) }, 'the health file cannot be written');
    }
  }
}
