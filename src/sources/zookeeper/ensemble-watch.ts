import type { CodedError } from '../../core/errors.ts';
import type { Cancel, Clock, Log } from '../../core/ports.ts';
import type { Result } from '../../core/result.ts';
import { exists, removeWatches } from './calls.ts';
import type { Stat, WatchEvent } from './calls.ts';
import { isRefusal } from './protocol.ts';
import type { Session, SessionChange } from './session.ts';

/** Whether a znode is there, as far as the ensemble tells; 'unknown' = it could not be asked. */
export type Existence =
  { readonly kind: 'exists' } | { readonly kind: 'absent' } | { readonly kind: 'unknown'; readonly cause: string };

/** A znode that somebody wants to know of. */
export interface WatchedZnode {
  /** At once where the answer is known and still stands. */
  ask(): Existence | Promise<Existence>;
  release(): void;
}

/** A question that has been put, or waits to be. */
interface Question {
  readonly answered: Promise<Existence>;
  readonly answer: (existence: Existence) => void;
  /** An event came meanwhile: whether it tells of something newer than the reply is not known. */
  isOvertaken: boolean;
}

interface Entry {
  readonly path: string;
  users: number;
  exists: boolean;
  /** The connection that would tell if `exists` were no longer true; 0 = nothing is known. */
  knownOn: number;
  /** The connection over which a watch was set that may still stand; 0 = none. */
  watchedOn: number;
  question: Question | null;
}

/** Requests on their way at once, well within what a session allows: the rest waits here, where nothing refuses it. */
const MAX_UNDER_WAY = 500;
/**
 * Who asks while there is no connection waits for this long, which is enough for a first one, or for another server.
 * Then the others' probes need the room: everybody is told at once that nobody can be asked.
 */
const PATIENCE_MS = 1_000;
/** Attempts to connect fail in turns for different reasons; what changed with each of them would be news each time. */
const SAME_REASON_MS = 60_000;

const EXISTS: Existence = { kind: 'exists' };
const ABSENT: Existence = { kind: 'absent' };

/**
 * Knows which znodes exist, over one session: each is asked for once and watched with the same request. What is known
 * stands until an event, or the end of the connection over which it was asked for: a server that has fallen silent is
 * believed for two thirds of the session time.
 */
export class EnsembleWatch {
  readonly #session: Session;
  readonly #servers: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onUnused: (ended: Promise<void>) => void;
  readonly #entries = new Map<string, Entry>();
  /** In the order in which they were asked. */
  readonly #toAsk = new Set<Entry>();
  /** Paths with a watch that nobody needs any more. */
  readonly #toForget = new Set<string>();
  #canForget = true;
  #underWay = 0;
  #cancelPatience: Cancel = () => undefined;
  /** Why nobody can be asked; null while there is a connection, or soon may be. */
  #outage: string | null = null;
  #reasonedAt = 0;
  #connectedAt = 0;
  #warnedAt = -Infinity;
  #isSaidToAnswer = false;

  /**
   * @param session not started yet, and of no use to anybody else
   * @param servers for texts
   * @param onUnused called when nobody wants to know anything any more, with the end of the session
   */
  constructor(
    session: Session,
    servers: string,
    deps: { readonly clock: Clock; readonly log: Log },
    onUnused: (ended: Promise<void>) => void,
  ) {
    this.#session = session;
    this.#servers = servers;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#onUnused = onUnused;
    session.listen({
      onChange: (change) => this.#onSession(change),
      onWatch: (event) => this.#onWatch(event),
    });
    this.#bePatient();
    session.start();
  }

  watch(path: string): WatchedZnode {
    const entry = this.#entries.get(path) ?? this.#newEntry(path);
    entry.users += 1;
    let isReleased = false;
    return {
      ask: () => this.#ask(entry),
      release: () => {
        if (!isReleased) this.#release(entry);
        isReleased = true;
      },
    };
  }

  /** Nothing is known any more, and the session ends at the server. */
  close(): void {
    this.#cancelPatience();
    this.#onUnused(this.#session.close({ keepSession: false }));
  }

  #newEntry(path: string): Entry {
    // If a watch still stands, the next question sets the same one again; if there is none, it is still to be taken back.
    const watchedOn = this.#toForget.delete(path) ? this.#session.connection : 0;
    const entry: Entry = { path, users: 0, exists: false, knownOn: 0, watchedOn, question: null };
    this.#entries.set(path, entry);
    return entry;
  }

  #release(entry: Entry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#entries.delete(entry.path);
    if (this.#toAsk.delete(entry)) entry.question?.answer({ kind: 'unknown', cause: 'no longer wanted' });
    if (this.#entries.size === 0) this.close();
    else if (entry.watchedOn !== 0 && entry.watchedOn === this.#session.connection && this.#canForget) {
      this.#toForget.add(entry.path);
      this.#send();
    }
  }

  #ask(entry: Entry): Existence | Promise<Existence> {
    if (entry.knownOn !== 0 && entry.knownOn === this.#session.connection) return entry.exists ? EXISTS : ABSENT;
    if (entry.question !== null) return entry.question.answered;
    const cause = this.#whyNobody();
    if (cause !== null) return { kind: 'unknown', cause };
    entry.question = newQuestion();
    this.#toAsk.add(entry);
    this.#send();
    return entry.question.answered;
  }

  /** Hands over to the session what it has room for. */
  #send(): void {
    while (this.#session.connection !== 0 && this.#underWay < MAX_UNDER_WAY) {
      const [entry] = this.#toAsk;
      const [path] = this.#toForget;
      if (entry !== undefined) void this.#put(entry);
      else if (path !== undefined) void this.#forget(path);
      else return;
    }
  }

  async #put(entry: Entry): Promise<void> {
    this.#toAsk.delete(entry);
    const { question } = entry;
    const { connection } = this.#session;
    entry.watchedOn = connection;
    const reply = await this.#underWayWhile(this.#session.request(exists(entry.path, true)));
    const existence = this.#existenceIn(reply);
    entry.question = null;
    // Replies and events of one turn are all taken in before anything that waits for them goes on.
    if (existence.kind !== 'unknown' && question?.isOvertaken === false) {
      entry.exists = existence.kind === 'exists';
      entry.knownOn = connection;
    }
    question?.answer(existence);
    this.#send();
  }

  /** Servers keep a watch until it fires or the connection ends, and reals come and go for months. */
  async #forget(path: string): Promise<void> {
    this.#toForget.delete(path);
    const reply = await this.#underWayWhile(this.#session.request(removeWatches(path)));
    // A server before 3.5 hangs up after this answer; there the watches stay.
    if (!reply.ok && isRefusal(reply.error, 'unimplemented')) {
      this.#canForget = false;
      this.#toForget.clear();
    }
    this.#send();
  }

  async #underWayWhile<T>(request: Promise<T>): Promise<T> {
    this.#underWay += 1;
    const reply = await request;
    this.#underWay -= 1;
    return reply;
  }

  #existenceIn(reply: Result<Stat, CodedError>): Existence {
    if (reply.ok) return EXISTS;
    if (isRefusal(reply.error, 'noNode')) return ABSENT;
    return { kind: 'unknown', cause: `${reply.error.message} (ZooKeeper ${this.#servers})` };
  }

  #onWatch({ path }: WatchEvent): void {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    entry.knownOn = 0;
    if (entry.question === null) entry.watchedOn = 0;
    else entry.question.isOvertaken = true;
  }

  #onSession(change: SessionChange): void {
    switch (change) {
      case 'connected':
        this.#cancelPatience();
        this.#outage = null;
        this.#connectedAt = this.#clock.monotonic();
        this.#sayItAnswers();
        this.#send();
        return;
      case 'lost':
      case 'expired':
        this.#toForget.clear();
        // One connection that breaks after the other is as good as none.
        if (this.#clock.monotonic() - this.#connectedAt < PATIENCE_MS) this.#giveUp();
        else this.#bePatient();
        return;
      case 'closed':
        return;
    }
  }

  #bePatient(): void {
    this.#cancelPatience();
    this.#cancelPatience = this.#clock.after(PATIENCE_MS, () => this.#giveUp());
  }

  #giveUp(): void {
    const cause = this.#reason();
    for (const entry of this.#toAsk) {
      entry.question?.answer({ kind: 'unknown', cause });
      entry.question = null;
    }
    this.#toAsk.clear();
    if (this.#clock.monotonic() - this.#warnedAt < SAME_REASON_MS) return;
    this.#warnedAt = this.#clock.monotonic();
    this.#isSaidToAnswer = false;
    this.#log.warn({ servers: this.#servers, reason: cause }, 'znodes of checks cannot be asked for');
  }

  #sayItAnswers(): void {
    if (this.#isSaidToAnswer) return;
    this.#isSaidToAnswer = true;
    this.#log.info({ servers: this.#servers, server: this.#session.server }, 'znodes of checks can be asked for');
  }

  #whyNobody(): string | null {
    if (this.#outage === null || this.#clock.monotonic() - this.#reasonedAt < SAME_REASON_MS) return this.#outage;
    return this.#reason();
  }

  #reason(): string {
    const why = this.#session.lastError?.message ?? 'no server has answered yet';
    this.#reasonedAt = this.#clock.monotonic();
    this.#outage = `no session with ZooKeeper: ${why} (${this.#servers})`;
    return this.#outage;
  }
}

function newQuestion(): Question {
  let answer: Question['answer'] = () => undefined;
  const answered = new Promise<Existence>((resolve) => {
    answer = resolve;
  });
  return { answered, answer, isOvertaken: false };
}
