import { randomBytes } from 'node:crypto';
import { mkdir, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { CodedError } from '../../core/errors.ts';
import type { Clock, Log } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { SessionState } from '../source.ts';
import { fileError, isMissing } from './errors.ts';
import { FileLock, withLock } from './flock.ts';
import { lockFile, mutexFile, readSessions, removeSession, writeSessionFile } from './ownership.ts';

export interface SessionHooks {
  readonly onState: () => void;
  /** A session was opened: the first, or another after one was lost. */
  readonly onOpened: () => void;
}

/** Our presence in a directory store: a lock that the kernel holds as long as this process lives. */
export class DirectorySession {
  readonly #root: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hooks: SessionHooks;
  #state: SessionState;
  #open: { readonly id: string; readonly lock: FileLock } | null = null;

  constructor(root: string, timeoutMs: number, clock: Clock, log: Log, hooks: SessionHooks) {
    this.#root = root;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#log = log;
    this.#hooks = hooks;
    this.#state = { kind: 'connecting', since: clock.now(), lastError: null };
  }

  state(): SessionState {
    return this.#state;
  }

  id(): Result<string, CodedError> {
    if (this.#open !== null) return ok(this.#open.id);
    if (this.#state.kind === 'closed') return err(new CodedError('STORE_CLOSED', 'the directory source is closed'));
    const why = this.#state.kind === 'connecting' ? this.#state.lastError : null;
    return err(new CodedError('STORE_UNREACHABLE', why ?? 'no session yet', { transient: true }));
  }

  /** To be called every third of the time-out, or sooner: opens a session, or shows that ours still lives. */
  async tend(): Promise<void> {
    if (this.#state.kind === 'closed') return;
    try {
      if (this.#open !== null && !(await this.#touch(this.#open.id))) {
        await this.#open.lock.release();
        this.#open = null;
        this.#disconnected('the session was removed from the store');
      }
      if (this.#open === null) await this.#begin();
      await this.#sweep();
    } catch (error) {
      const coded = fileError(error, this.#root);
      if (this.#open === null) this.#disconnected(coded.message);
      else this.#log.warn({ error: coded.message }, 'the session could not be tended');
    }
  }

  async close(options: { readonly keepEphemeral: boolean }): Promise<void> {
    const open = this.#open;
    this.#open = null;
    this.#state = { kind: 'closed' };
    if (open !== null) {
      if (!options.keepEphemeral) await this.#withdraw(open.id);
      await open.lock.release();
    }
    this.#hooks.onState();
  }

  async #begin(): Promise<void> {
    // Never made here: a path that is not there may be a disk that is not mounted yet.
    const folder = await stat(this.#root).catch((error: unknown) => {
      if (isMissing(error))
        throw new CodedError('STORE_NOT_FOUND', `${this.#root} does not exist`, { transient: true });
      throw error;
    });
    if (!folder.isDirectory()) throw new CodedError('STORE_NOT_FOUND', `${this.#root} is not a directory`);
    const id = randomBytes(8).toString('hex');
    const file = lockFile(this.#root, id);
    await mkdir(dirname(file), { recursive: true });
    const lock = await FileLock.take(file);
    if (lock === null) throw new CodedError('STORE_CONFLICT', `${file} is locked`, { transient: true });
    const own = { session: id, pid: process.pid, host: hostname(), timeoutMs: this.#timeoutMs, records: [] };
    await writeSessionFile(this.#root, own);
    if (this.state().kind === 'closed') {
      await this.#withdraw(id);
      await lock.release();
      return;
    }
    this.#open = { id, lock };
    this.#state = { kind: 'connected', since: this.#clock.now(), session: id, server: this.#root };
    this.#log.info({ session: id, path: this.#root }, 'session opened');
    this.#hooks.onState();
    this.#hooks.onOpened();
  }

  /** @returns false when the lock file is gone */
  async #touch(id: string): Promise<boolean> {
    try {
      const now = new Date(this.#clock.now());
      await utimes(lockFile(this.#root, id), now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Takes away what sessions left behind whose processes ended long enough ago. */
  async #sweep(): Promise<void> {
    const expired = (await readSessions(this.#root, this.#clock.now())).filter((each) => each.expired);
    if (expired.length === 0) return;
    await withLock(mutexFile(this.#root), this.#clock, async () => {
      // Read again: between the look and the lock another may have taken records over, or swept.
      for (const session of await readSessions(this.#root, this.#clock.now())) {
        if (!session.expired) continue;
        await removeSession(this.#root, session);
        this.#log.info({ session: session.session, records: session.records.length }, 'expired session swept');
      }
    });
  }

  async #withdraw(id: string): Promise<void> {
    try {
      await withLock(mutexFile(this.#root), this.#clock, async () => {
        const own = (await readSessions(this.#root, this.#clock.now())).find((each) => each.session === id);
        if (own !== undefined) await removeSession(this.#root, own);
      });
    } catch (error) {
      this.#log.warn({ error: fileError(error, this.#root).message }, 'our records could not be withdrawn');
    }
  }

  #disconnected(why: string): void {
    const before = this.#state;
    if (before.kind === 'closed' || (before.kind === 'connecting' && before.lastError === why)) return;
    const since = before.kind === 'connecting' ? before.since : this.#clock.now();
    this.#state = { kind: 'connecting', since, lastError: why };
    this.#hooks.onState();
  }
}
