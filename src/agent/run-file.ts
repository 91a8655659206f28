import { join } from 'node:path';
import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { bootId } from './boot-id.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

const KIND = { format: 'vipkeeper-run', version: 1 };

/** More sessions than this were never open at once; a leftover of an older one has long timed out. */
const MAX_SESSIONS = 16;

interface Saved {
  readonly sessions: readonly string[];
  readonly stopped: boolean;
  readonly bootId: string;
}

/** What one run leaves for the next: which store sessions were ours, and whether we said goodbye to our peers. */
export class RunFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #sessions: readonly string[] = [];

  constructor(stateDir: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#path = join(stateDir, 'run.json');
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * Reads what the run before left.
   * @returns its sessions, and whether the kernel has been forwarding since then without us: the run did not stop in
   *   order, and the machine was not booted in between
   */
  load(): { readonly sessions: readonly string[]; readonly restarting: boolean } {
    const content = readStateFile(this.#path, KIND);
    if (!content.ok) {
      this.#log.warn({ error: describeError(content.error) }, 'the run file is refused');
      return { sessions: [], restarting: false };
    }
    if (content.value === null) return { sessions: [], restarting: false };
    const saved = content.value.payload as Saved;
    this.#sessions = saved.sessions;
    const sameBoot = saved.bootId !== '' && saved.bootId === bootId();
    return { sessions: saved.sessions, restarting: !saved.stopped && sameBoot };
  }

  /** Notes that we live in this session. */
  noteSession(session: string): void {
    if (this.#sessions.includes(session)) return;
    this.#sessions = [...this.#sessions, session].slice(-MAX_SESSIONS);
    this.#save(false);
  }

  /** Notes that the peers were told: the next start is no restart. */
  noteStopped(): void {
    this.#save(true);
  }

  /** Notes that we run. */
  noteRunning(): void {
    this.#save(false);
  }

  #save(stopped: boolean): void {
    const saved: Saved = { sessions: this.#sessions, stopped, bootId: bootId() };
    try {
      writeStateFile(this.#path, KIND, saved, this.#clock.now());
    } catch (error) {
      this.#log.warn({ error: describeError(error) }, 'the run file cannot be written');
    }
  }
}
