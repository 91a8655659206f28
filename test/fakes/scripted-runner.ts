import { ChangeLog } from '../../src/checks/change-log.ts';
import type {
  CheckRunner,
  Verdict,
  VerdictChanges,
  Verdicts,
  VerdictState,
  WantedCheck,
} from '../../src/checks/port.ts';
import type { Clock, Unsubscribe } from '../../src/core/ports.ts';

/** A check runner that probes nothing: the test says what is found at an address. */
export class ScriptedRunner implements CheckRunner {
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  readonly #found = new Map<string, VerdictState>();
  #wanted = new Map<string, WantedCheck>();
  #verdicts = new Map<string, Verdict>();
  readonly #changes = new ChangeLog();
  /** The sets that were wanted, in order, as addresses. */
  readonly wantedSets: string[][] = [];
  restored: Verdicts | undefined;
  pokes = 0;
  closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  setWanted(checks: readonly WantedCheck[], restored?: Verdicts): void {
    this.restored ??= restored;
    const before = this.#wanted;
    this.#wanted = new Map(checks.map((check) => [check.key, check]));
    this.wantedSets.push(checks.map(({ target }) => target.address));
    for (const key of before.keys()) {
      if (this.#wanted.has(key)) continue;
      this.#verdicts.delete(key);
      this.#changes.note(key);
    }
    for (const key of this.#wanted.keys()) {
      if (before.has(key)) continue;
      this.#changes.note(key);
      const seed = restored?.get(key);
      if (seed !== undefined) this.#verdicts.set(key, seed);
    }
    this.#judge();
  }

  verdicts(): Verdicts {
    return new Map([...this.#wanted.keys()].map((key) => [key, this.#verdicts.get(key) ?? this.#none()]));
  }

  changes(since: number | null): VerdictChanges {
    return this.#changes.changes(since);
  }

  onChange(poke: () => void): Unsubscribe {
    this.#listeners.add(poke);
    return () => void this.#listeners.delete(poke);
  }

  settled(): boolean {
    return [...this.#wanted.keys()].every((key) => this.#verdicts.has(key));
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** What is found from now on, by address of the real; one that was never named has no verdict. */
  find(states: Readonly<Record<string, VerdictState>>): void {
    for (const [address, state] of Object.entries(states)) this.#found.set(address, state);
    if (this.#judge()) this.#poke();
  }

  #judge(): boolean {
    let changed = false;
    for (const { key, target } of this.#wanted.values()) {
      const state = this.#found.get(target.address);
      if (state === undefined || this.#verdicts.get(key)?.state === state) continue;
      const now = this.#clock.now();
      this.#verdicts.set(key, { state, since: now, cause: `it is ${state}`, latencyMs: 1, at: now });
      this.#changes.note(key);
      changed = true;
    }
    return changed;
  }

  #poke(): void {
    this.pokes++;
    for (const poke of this.#listeners) poke();
  }

  #none(): Verdict {
    return { state: 'unknown', since: this.#clock.now(), cause: 'not probed yet', latencyMs: null, at: null };
  }
}
