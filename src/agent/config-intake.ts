import { describeError } from '../core/errors.ts';
import { Backoff } from '../core/backoff.ts';
import { Coalescer } from '../core/coalescer.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../core/ports.ts';
import type { RecordDecoder } from '../model/decode.ts';
import { formatProblem } from '../model/problem.ts';
import type { Problem } from '../model/problem.ts';
import type { RawRecord } from '../model/record-set.ts';
import type { Source, StoreSnapshot } from '../sources/source.ts';
import { desiredState } from './policy/desired.ts';
import type { Desired } from './policy/desired-state.ts';
import { approvalsOf, goneSettings, guard, isEmpty } from './policy/guard.ts';
import type { Hold } from './policy/guard.ts';
import type { GuardWindow } from './policy/guard-window.ts';
import { idOf, losses } from './policy/losses.ts';
import { shareStructure } from './policy/shared-structure.ts';
import type { LastKnownGood, LastKnownGoodFile } from './last-known-good.ts';

export type Origin = 'none' | 'store' | 'last-known-good';

/** What the intake knows; plain facts for the status page. Times are wall-clock milliseconds. */
export interface IntakeView {
  readonly origin: Origin;
  readonly seenRevision: string | null;
  readonly position: string | null;
  /** Whether the store has our root; null = it has not been read yet. */
  readonly rootExists: boolean | null;
  /** When the accepted set last changed. */
  readonly acceptedAt: number | null;
  /** When the store last confirmed what is accepted. */
  readonly confirmedAt: number | null;
  readonly problems: readonly Problem[];
  readonly hold: Hold | null;
  /** Why the last look at the store failed; null = it did not. */
  readonly failure: string | null;
}

export interface IntakeOptions {
  readonly agent: string;
  /** At the start the store gets this long before the last known good is put in force. */
  readonly storeWaitMs: number;
}

interface IntakeDeps {
  readonly source: Source;
  readonly decoder: RecordDecoder;
  readonly file: LastKnownGoodFile;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Losses are judged once no more have come for this long, so that a recursive delete is judged as one, */
const GATHER_MS = 300;
/** but no later than this after the first one was seen. Ten thousand deletes one by one take half as long. */
const GATHER_MAX_MS = 30_000;
/** The last-known-good file is written this long after a change: an edit need not wait for a disk. */
const SAVE_AFTER_MS = 500;

/** How many problems of one look the log spells out. */
const SPELLED_OUT = 20;

/** Losses that are not judged yet. Monotonic milliseconds. */
interface Gathering {
  readonly since: number;
  /** When the last of them was first seen. */
  readonly grewAt: number;
  /** As `idOf` names them. */
  readonly ids: ReadonlySet<string>;
}

/**
 * The way from the store to the accepted configuration: snapshot, decode, desired, guard. It is the only one to
 * replace what is accepted, and the last-known-good file follows it.
 */
export class ConfigIntake {
  readonly #options: IntakeOptions;
  readonly #deps: IntakeDeps;
  readonly #backoff: Backoff;
  readonly #loop: Coalescer;
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: Unsubscribe[] = [];
  readonly #abort = new AbortController();
  #accepted: Desired | null = null;
  #inForce = false;
  #good: ReadonlyMap<string, RawRecord> = new Map();
  /** Services that are in force just as their records say. */
  #sound: ReadonlySet<string> = new Set();
  #window: GuardWindow | null = null;
  #view: IntakeView;
  #gathering: Gathering | null = null;
  /** As it was logged last; null = nothing is wrong. */
  #toldFailure: string | null = null;
  /** The wall clock at the zero of the monotonic one, as it was when we were made. */
  readonly #startedAt: number;
  #connected = false;
  #retry: Cancel | null = null;
  #saving: Cancel | null = null;
  #waiting: Cancel | null = null;

  constructor(options: IntakeOptions, deps: IntakeDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#startedAt = deps.clock.now() - deps.clock.monotonic();
    this.#backoff = new Backoff({ firstMs: 200, maxMs: 10_000, factor: 2, jitter: 0.25 }, deps.random);
    this.#loop = new Coalescer(
      () => this.#look(),
      (error) => deps.log.error({ error: describeError(error) }, 'looking at the store failed'),
    );
    this.#view = {
      origin: 'none',
      seenRevision: null,
      position: null,
      rootExists: null,
      acceptedAt: null,
      confirmedAt: null,
      problems: [],
      hold: null,
      failure: null,
    };
  }

  /** Starts to follow the source. `saved` is what the last-known-good file held, null if there was none. */
  start(saved: LastKnownGood | null): void {
    if (saved !== null) this.#restore(saved);
    this.#unsubscribe.push(
      this.#deps.source.onChange(this.#loop.poke),
      this.#deps.source.onState(() => this.#noteSession()),
    );
    this.#noteSession();
    if (saved !== null) {
      this.#waiting = this.#deps.clock.after(this.#options.storeWaitMs, () => this.#fallBack(saved));
    }
    this.#loop.poke();
  }

  /** What is in force; null until the store or the last known good has given something. */
  accepted(): Desired | null {
    return this.#inForce ? this.#accepted : null;
  }

  view(): IntakeView {
    return this.#view;
  }

  /** Called when `accepted()` or `view()` may answer something new. */
  onChange(poke: () => void): Unsubscribe {
    this.#listeners.add(poke);
    return () => void this.#listeners.delete(poke);
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#abort.abort();
    this.#retry?.();
    this.#waiting?.();
    await this.#loop.stop();
    this.#confirm();
    if (this.#saving !== null) this.#save();
  }

  #noteSession(): void {
    const connected = this.#deps.source.state().kind === 'connected';
    if (!connected) this.#confirm();
    this.#connected = connected;
  }

  /** Up to the end of a session its watch vouched for what is accepted, however long ago the last edit was. */
  #confirm(): void {
    const { clock } = this.#deps;
    if (!this.#connected || this.#view.origin !== 'store' || this.#view.failure !== null) return;
    this.#update({ confirmedAt: clock.now() });
    this.#saving ??= clock.after(SAVE_AFTER_MS, () => this.#save());
  }

  #restore(saved: LastKnownGood): void {
    this.#accepted = saved.desired;
    this.#good = saved.good;
    this.#window = saved.window;
    this.#update({ hold: saved.hold, position: saved.position, confirmedAt: saved.confirmedAt });
  }

  #fallBack(saved: LastKnownGood): void {
    if (this.#inForce) return;
    this.#inForce = true;
    const age = Math.max(0, Math.round((this.#deps.clock.now() - saved.confirmedAt) / 1000));
    this.#deps.log.warn({ ageSeconds: age }, 'the store does not answer: starting from the last known good');
    this.#update({ origin: 'last-known-good', acceptedAt: saved.confirmedAt });
    this.#notify();
  }

  async #look(): Promise<void> {
    this.#retry?.();
    this.#retry = null;
    const snapshot = await this.#deps.source.snapshot(this.#abort.signal);
    if (this.#abort.signal.aborted) return;
    if (!snapshot.ok) {
      const failure = describeError(snapshot.error);
      if (failure !== this.#toldFailure && !this.#isFirstConnecting()) {
        this.#toldFailure = failure;
        this.#deps.log.warn({ error: failure }, 'the store cannot be read');
      }
      this.#update({ failure });
      this.#lookAgainIn(this.#backoff.next());
      this.#notify();
      return;
    }
    this.#backoff.reset();
    this.#toldFailure = null;
    // What is in force, or waits in the last-known-good file, came from the whole store and may be newer.
    if (snapshot.value.mayBeOld === true && this.#accepted !== null) return;
    this.#judge(snapshot.value);
    this.#notify();
  }

  /** Nothing has gone wrong: nobody has answered yet, and nobody has refused. */
  #isFirstConnecting(): boolean {
    const state = this.#deps.source.state();
    return state.kind === 'connecting' && state.lastError === null;
  }

  #judge(snapshot: StoreSnapshot): void {
    const { clock } = this.#deps;
    const sound = this.#sound;
    // Until this look has come to its end, nothing is known to be as it was.
    this.#sound = new Set();
    const decoded = this.#deps.decoder.decode(snapshot.records, this.#good);
    const { position, rootExists } = snapshot;
    const seen = { seenRevision: decoded.revision, position, rootExists, failure: null };
    if (!rootExists && this.#accepted === null) {
      if (this.#view.rootExists !== false)
        this.#deps.log.warn({ position }, 'the store has no root yet: waiting for it');
      this.#update({ ...seen, seenRevision: null, problems: [] });
      return;
    }
    const asBefore = untouched(sound, decoded.touched);
    const built = desiredState(decoded.records, this.#options.agent, this.#accepted, decoded.revision, asBefore);
    const problems = [...decoded.problems, ...built.problems];
    const settled = this.#settled(built.desired);
    const verdict = guard({
      accepted: this.#accepted,
      candidate: built.desired,
      rootExists,
      empty: isEmpty(decoded.records),
      approvals: approvalsOf(decoded.records),
      window: this.#window,
      hold: this.#view.hold,
      settled,
      now: this.#steadyNow(),
    });
    this.#reportHold(verdict.hold);
    this.#reportProblems(problems);
    const accepted = shareStructure(this.#accepted, verdict.accepted);
    const changed = !this.#inForce || accepted !== this.#accepted;
    if (changed) this.#deps.log.info({ revision: accepted.revision, ...seen }, 'configuration accepted');
    this.#waiting?.();
    this.#inForce = true;
    this.#accepted = accepted;
    this.#window = verdict.window;
    this.#good = decoded.good;
    if (verdict.accepted === built.desired) this.#sound = built.sound;
    const acceptedAt = changed ? clock.now() : this.#view.acceptedAt;
    const confirmed = { origin: 'store', confirmedAt: clock.now(), acceptedAt } as const;
    this.#update({ ...seen, ...confirmed, problems, hold: verdict.hold });
    this.#saving ??= clock.after(SAVE_AFTER_MS, () => this.#save());
  }

  /** Whether losses may be judged now. If not, another look is arranged for when there may be no more of them. */
  #settled(candidate: Desired): boolean {
    const now = this.#deps.clock.monotonic();
    const lost = this.#accepted === null ? [] : lossIds(this.#accepted, candidate);
    const before = this.#gathering;
    this.#gathering = null;
    if (lost.length === 0) return true;
    const ids = new Set(lost);
    const since = before?.since ?? now;
    const grewAt = before !== null && lost.every((id) => before.ids.has(id)) ? before.grewAt : now;
    const judgeAt = Math.min(grewAt + GATHER_MS, since + GATHER_MAX_MS);
    if (now >= judgeAt) return true;
    this.#gathering = { since, grewAt, ids };
    this.#lookAgainIn(judgeAt - now);
    return false;
  }

  #lookAgainIn(ms: number): void {
    this.#retry?.();
    this.#retry = this.#deps.clock.after(ms, this.#loop.poke);
  }

  /** Wall-clock time that a clock set forward while we run does not move: it would age the guard's window. */
  #steadyNow(): number {
    return this.#startedAt + this.#deps.clock.monotonic();
  }

  #reportHold(hold: Hold | null): void {
    const before = this.#view.hold;
    if (hold !== null && before?.revision !== hold.revision) {
      const fields = { revision: hold.revision, why: hold.why, lost: hold.lostCount };
      this.#deps.log.warn(fields, 'a change is held: approve its revision, or restore what it takes away');
    } else if (hold === null && before !== null) {
      this.#deps.log.info({ revision: before.revision }, 'the hold is over');
    }
  }

  /** Each once, when it is first met. */
  #reportProblems(problems: readonly Problem[]): void {
    const known = new Set(this.#view.problems.map(formatProblem));
    const fresh = problems.map(formatProblem).filter((text) => !known.has(text));
    for (const problem of fresh.slice(0, SPELLED_OUT)) this.#deps.log.warn({ problem }, 'a record has a problem');
    const omitted = fresh.length - SPELLED_OUT;
    if (omitted > 0) this.#deps.log.warn({ omitted }, 'more records have problems: see the status');
  }

  #save(): void {
    this.#saving?.();
    this.#saving = null;
    const { hold, position, confirmedAt } = this.#view;
    const window = this.#window;
    if (this.#accepted === null || window === null || confirmedAt === null) return;
    const content = { desired: this.#accepted, good: this.#good, window, hold, position, confirmedAt };
    this.#deps.file.save(content);
  }

  #update(change: Partial<IntakeView>): void {
    this.#view = { ...this.#view, ...change };
  }

  #notify(): void {
    for (const poke of this.#listeners) poke();
  }
}

/** Those of whose records none was touched. */
export function untouched(sound: ReadonlySet<string>, touched: ReadonlySet<string> | null): ReadonlySet<string> {
  return new Set(touched === null ? [] : [...sound].filter((name) => !touched.has(name)));
}

/** What a recursive delete that has only begun may have taken already: services, reals, settings of this agent. */
function lossIds(accepted: Desired, candidate: Desired): readonly string[] {
  return [...losses(accepted, candidate).map(idOf), ...goneSettings(accepted, candidate)];
}
