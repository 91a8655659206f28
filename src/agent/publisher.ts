import { createHash } from 'node:crypto';
import { describeError } from '../core/errors.ts';
import type { Cancel, Clock, Log, Unsubscribe } from '../core/ports.ts';
import { Coalescer } from '../core/coalescer.ts';
import type { AgentRecord } from '../model/records/state.ts';
import type { Source } from '../sources/source.ts';
import type { HealthContent } from './policy/health-records.ts';

/** What the publisher adds itself: in which session, and when. */
export type AgentContent = Omit<AgentRecord, 'session' | 'at'>;

/** Everything this agent says, by path under the root. */
export interface Publication {
  readonly agent: AgentContent;
  /** By service name. Gone through once, and made only then. */
  readonly health: Iterable<readonly [string, HealthContent]>;
}

export type PublisherState =
  | { readonly kind: 'ok' }
  | { readonly kind: 'offline'; readonly why: string }
  /** Another live session holds our name; it may be a leftover that is about to end. */
  | {
      readonly kind: 'contested';
      readonly session: string;
      /** Monotonic milliseconds. */
      readonly since: number;
      readonly final: boolean;
    };

export interface PublisherOptions {
  readonly agent: string;
  /** What the store was asked for; a leftover of ours must be gone after it. */
  readonly sessionTimeoutMs: number;
}

interface PublisherDeps {
  readonly source: Source;
  /** Everything there is to say now. */
  readonly publication: () => Publication;
  readonly clock: Clock;
  readonly log: Log;
}

/** A record changes at most this often. */
const SPACING_MS = 200;
/** A record that stays the same is written again this often, */
const REFRESH_MS = 30_000;
/** or less often, so that the health of all services costs the store no more than this: a fleet has many agents. */
const REFRESH_BYTES_PER_MS = 8;
/** It is to be believed until so many refreshes were missed. */
const VALID_REFRESHES = 3;

interface Written {
  /** Of the content without the stamp: the text itself is a megabyte with ten thousand reals. */
  readonly digest: string;
  readonly session: string;
  readonly at: number;
  /** What its reader was promised; more records since then do not break the promise. */
  readonly refreshMs: number;
  readonly bytes: Uint8Array;
}

/**
 * Keeps our records in the store as they should be: on change, at most once in 200 ms, and refreshed slowly. It asks
 * for the whole wanted set when it writes, and not at each change: between two writes thousands of reals may change.
 * Whose name is taken by another live session, publishes nothing.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #deps: PublisherDeps;
  readonly #loop: Coalescer;
  readonly #unsubscribe: Unsubscribe;
  #written = new Map<string, Written>();
  #confirmedSession: string | null = null;
  #state: PublisherState = { kind: 'offline', why: 'not connected yet' };
  #timer: Cancel | null = null;
  #timerAt = Infinity;
  #notBefore = -Infinity;
  #stopped = false;

  constructor(options: PublisherOptions, deps: PublisherDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#loop = new Coalescer(
      () => this.#publish(),
      (error) => {
        deps.log.error({ error: describeError(error) }, 'publishing failed');
        this.#wakeIn(REFRESH_MS);
      },
    );
    this.#unsubscribe = deps.source.onState(() => this.#wakeIn(0));
  }

  state(): PublisherState {
    return this.#state;
  }

  /** There is something new to say. That there is another session, it notices by itself. */
  poke(): void {
    this.#wakeIn(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#timer?.();
    await this.#loop.stop();
  }

  /** Runs soon, but never sooner than the spacing allows; an earlier appointment stays. */
  #wakeIn(ms: number): void {
    if (this.#stopped) return;
    const now = this.#deps.clock.monotonic();
    const at = Math.max(now + ms, this.#notBefore);
    if (this.#timer !== null && this.#timerAt <= at) return;
    this.#timer?.();
    this.#timerAt = at;
    this.#timer = this.#deps.clock.after(at - now, () => {
      this.#timer = null;
      this.#timerAt = Infinity;
      this.#loop.poke();
    });
  }

  async #publish(): Promise<void> {
    const session = this.#deps.source.state();
    if (session.kind !== 'connected') {
      const why = session.kind === 'closed' ? 'the source is closed' : (session.lastError ?? 'not connected yet');
      this.#state = { kind: 'offline', why };
      return;
    }
    this.#notBefore = this.#deps.clock.monotonic() + SPACING_MS;
    const wanted = this.#deps.publication();
    if (this.#confirmedSession !== session.session && !(await this.#claimName(wanted, session.session))) return;
    const records = this.#stamp(wanted, session.session);
    const report = await this.#deps.source.publish(records);
    if (!report.ok) {
      this.#state = { kind: 'offline', why: report.error.message };
      this.#wakeIn(SPACING_MS * 5);
      return;
    }
    if (report.value.refused.has(this.#agentPath())) {
      this.#confirmedSession = null;
      this.#wakeIn(0);
      return;
    }
    for (const [path, owner] of report.value.refused) {
      this.#deps.log.warn({ path, owner }, 'another live session holds one of our records');
    }
    this.#state = { kind: 'ok' };
    this.#wakeIn(REFRESH_MS);
  }

  /** Writes our own record alone first: only who holds the name may write the rest. */
  async #claimName(wanted: Publication, session: string): Promise<boolean> {
    const path = this.#agentPath();
    const own = this.#stamp({ agent: wanted.agent, health: new Map() }, session);
    const report = await this.#deps.source.publish(own);
    if (!report.ok) {
      this.#state = { kind: 'offline', why: report.error.message };
      this.#wakeIn(SPACING_MS * 5);
      return false;
    }
    const stranger = report.value.refused.get(path);
    if (stranger === undefined) {
      this.#confirmedSession = session;
      return true;
    }
    this.#contested(stranger);
    return false;
  }

  #contested(stranger: string): void {
    const now = this.#deps.clock.monotonic();
    const before = this.#state;
    const since = before.kind === 'contested' && before.session === stranger ? before.since : now;
    const final = now - since >= 2 * this.#options.sessionTimeoutMs;
    const wasFinal = before.kind === 'contested' && before.final;
    this.#state = { kind: 'contested', session: stranger, since, final };
    if (before.kind !== 'contested' || final !== wasFinal) {
      const message = final
        ? 'another agent runs under our name: nothing is published until it is gone; give one of them another name'
        : 'another session holds our record: waiting for it to end';
      this.#deps.log.warn({ agent: this.#options.agent, session: stranger }, message);
    }
    this.#wakeIn(this.#options.sessionTimeoutMs / 2);
  }

  #agentPath(): string {
    return `state/agents/${this.#options.agent}`;
  }

  #stamp(wanted: Publication, session: string): Map<string, Uint8Array> {
    const now = this.#deps.clock.now();
    const own = this.#say(this.#agentPath(), wanted.agent, session, now);
    const health = Array.from(wanted.health, ([service, content]) =>
      this.#say(`state/health/${service}/${this.#options.agent}`, content, session, now),
    );
    const refreshMs = healthRefreshMs(health.reduce((sum, { length }) => sum + length, 0));
    // An edit that leaves the health of a service as it was is no reason to write it: the agent's own record says
    // which revision is in force.
    const revision = wanted.agent.acceptedRevision;
    const validUntil = new Date(now + VALID_REFRESHES * refreshMs).toISOString();
    const written = new Map<string, Written>();
    const add = (said: Said, refreshEachMs: number, stamp: object): void => {
      if (said.written !== null) {
        written.set(said.path, said.written);
        return;
      }
      const { path, digest, content } = said;
      const record = { ...content, ...stamp, session, at: new Date(now).toISOString() };
      const bytes = Buffer.from(JSON.stringify(record));
      written.set(path, { digest, session, at: now, refreshMs: refreshEachMs, bytes });
    };
    add(own, REFRESH_MS, {});
    for (const said of health) add(said, refreshMs, { revision, validUntil });
    this.#written = written;
    return new Map([...written].map(([path, { bytes }]) => [path, bytes]));
  }

  #say(path: string, content: AgentContent | HealthContent, session: string, now: number): Said {
    const text = JSON.stringify(content);
    const { length } = text;
    const digest = createHash('sha256').update(text).digest('base64');
    const before = this.#written.get(path);
    const stands = before !== undefined && before.digest === digest && before.session === session;
    const isFresh = stands && now - before.at < before.refreshMs && now >= before.at;
    return isFresh ? { path, length, written: before } : { path, length, written: null, digest, content };
  }
}

/** What a record says now: what was written, where that says the same and is fresh, or else what is to be written. */
type Said = { readonly path: string; readonly length: number } & (
  | { readonly written: Written }
  | { readonly written: null; readonly digest: string; readonly content: AgentContent | HealthContent }
);

/** @param characters of all health records of this agent */
function healthRefreshMs(characters: number): number {
  return Math.max(REFRESH_MS, Math.ceil(characters / REFRESH_BYTES_PER_MS / 1_000) * 1_000);
}
