import { mkdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { WantedRecords } from '../publish-queue.ts';
import type { PublishReport } from '../source.ts';
import { fileError } from './errors.ts';
import { writeAtomically } from './files.ts';
import { withLock } from './flock.ts';
import { mutexFile, readSessions, removeRecord, removeSession, writeSessionFile } from './ownership.ts';
import type { KnownSession } from './ownership.ts';
import { RECORD_SUFFIX, locate } from './paths.ts';
import { inParallel } from './scan.ts';

export interface PublisherDeps {
  readonly root: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly session: () => Result<string, CodedError>;
}

/**
 * Keeps our ephemeral records as they are wanted. The lists of all sessions are read and changed under one lock, and a
 * record is listed before its file is written and until after its file is gone: so no file of ours is ever unaccounted
 * for, and no record has two owners.
 */
export class Publisher {
  readonly #deps: PublisherDeps;
  readonly #adopted = new Set<string>();
  #written = new Map<string, Uint8Array>();
  #writtenUnder = '';

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  adopt(sessions: readonly string[]): void {
    for (const session of sessions) this.#adopted.add(session);
  }

  async run(wanted: WantedRecords): Promise<Result<PublishReport, CodedError>> {
    const session = this.#deps.session();
    if (!session.ok) return session;
    if (session.value !== this.#writtenUnder) {
      this.#written = new Map();
      this.#writtenUnder = session.value;
    }
    const { root, clock } = this.#deps;
    try {
      return ok(await withLock(mutexFile(root), clock, () => this.#reconcile(session.value, wanted)));
    } catch (error) {
      return err(fileError(error, `publishing in ${root}`));
    }
  }

  /** Looks whether somebody deleted a file of ours. @returns true when it is time to run again */
  async missesSome(): Promise<boolean> {
    const { root } = this.#deps;
    const written = [...this.#written.keys()];
    await inParallel(written, async (path) => {
      const place = locate(root, path);
      const file = place.ok ? await stat(`${place.value}${RECORD_SUFFIX}`).catch(() => null) : null;
      if (file === null) this.#written.delete(path);
    });
    return this.#written.size < written.length;
  }

  async #reconcile(ourId: string, wanted: WantedRecords): Promise<PublishReport> {
    const { root, clock } = this.#deps;
    const sessions = await readSessions(root, clock.now());
    const listed = new Set(sessions.find((each) => each.session === ourId)?.records);
    const claim = sortClaims(sessions, ourId, wanted, (id) => this.#adopted.has(id));
    const claimed = new Set(claim.ours);
    const surplus = [...listed].filter((path) => !claimed.has(path));
    // What another took over is no longer what we wrote.
    for (const path of this.#written.keys()) if (!listed.has(path)) this.#written.delete(path);
    if (claim.ours.some((path) => !listed.has(path))) await this.#list(ourId, [...claim.ours, ...surplus]);
    for (const [loser, paths] of claim.taken) await this.#release(loser, paths);
    let written = 0;
    await inParallel(claim.ours, async (path) => {
      const bytes = wanted.get(path);
      const before = this.#written.get(path);
      if (bytes === undefined || (before !== undefined && Buffer.compare(before, bytes) === 0)) return;
      await this.#write(path, bytes);
      this.#written.set(path, bytes);
      written += 1;
    });
    for (const path of surplus) {
      await removeRecord(root, path);
      this.#written.delete(path);
    }
    if (surplus.length > 0) await this.#list(ourId, claim.ours);
    return { written, deleted: surplus.length, refused: claim.refused };
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const place = locate(this.#deps.root, path);
    if (!place.ok) throw place.error;
    await mkdir(dirname(place.value), { recursive: true });
    await writeAtomically(`${place.value}${RECORD_SUFFIX}`, bytes, { durable: false });
  }

  async #list(session: string, records: readonly string[]): Promise<void> {
    const { root, timeoutMs } = this.#deps;
    await writeSessionFile(root, { session, pid: process.pid, host: hostname(), timeoutMs, records });
  }

  async #release(loser: KnownSession, taken: ReadonlySet<string>): Promise<void> {
    const rest = { ...loser, records: loser.records.filter((path) => !taken.has(path)) };
    if (loser.expired) await removeSession(this.#deps.root, rest);
    else {
      const { session, pid, host, timeoutMs, records } = rest;
      await writeSessionFile(this.#deps.root, { session, pid, host, timeoutMs, records });
    }
  }
}

interface Claim {
  readonly ours: readonly string[];
  readonly refused: ReadonlyMap<string, string>;
  /** Sessions that lose records to us. */
  readonly taken: ReadonlyMap<KnownSession, ReadonlySet<string>>;
}

/** Which of the wanted records may be ours: those of nobody, of nobody alive, and of sessions that were ours. */
function sortClaims(
  sessions: readonly KnownSession[],
  ourId: string,
  wanted: WantedRecords,
  isAdopted: (session: string) => boolean,
): Claim {
  const owners = new Map<string, KnownSession>();
  for (const session of sessions) for (const path of session.records) owners.set(path, session);
  const ours: string[] = [];
  const refused = new Map<string, string>();
  const taken = new Map<KnownSession, Set<string>>();
  for (const path of wanted.keys()) {
    const owner = owners.get(path);
    if (owner === undefined || owner.session === ourId) ours.push(path);
    else if (owner.expired || isAdopted(owner.session)) {
      ours.push(path);
      taken.set(owner, (taken.get(owner) ?? new Set()).add(path));
    } else refused.set(path, owner.session);
  }
  return { ours, refused, taken };
}
