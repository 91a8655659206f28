import type { Route } from '../bgp/port.ts';
import type { CheckRunner, Verdicts } from '../checks/port.ts';
import { Backoff } from '../core/backoff.ts';
import { Coalescer } from '../core/coalescer.ts';
import { asCodedError, CodedError, describeError } from '../core/errors.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../core/ports.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { bgpSettings } from './policy/bgp-settings.ts';
import type { BgpSurroundings } from './policy/bgp-settings.ts';
import type { Counters } from './counters.ts';
import type { Desired } from './policy/desired-state.ts';
import type { Difference } from './policy/drift.ts';
import { effectiveState } from './policy/effective.ts';
import type { Effective } from './policy/effective-state.ts';
import type { SavedHealth } from './health-file.ts';
import { emptyMemory } from './policy/health-memory.ts';
import type { HealthMemory } from './policy/health-memory.ts';
import type { HostAdvice } from './host-advice.ts';
import type { KernelDriver } from './kernel-driver.ts';
import { hasSameChecks, prepare } from './policy/prepared.ts';
import type { Prepared } from './policy/prepared.ts';
import type { RouteDriver } from './route-driver.ts';
import type { SettingsDriver } from './settings-driver.ts';
import { routesFor } from './policy/routes.ts';
import type { Advertisements, VipAdvertisement } from './policy/routes.ts';
import type { LastDecisions } from './policy/standing-decisions.ts';
import { wantedChecks } from './policy/wanted-checks.ts';

/** What the last pass decided and did; facts for the status page and the publisher. */
export interface PassView {
  readonly desired: Desired;
  readonly effective: Effective;
  /** By VIP name. */
  readonly vips: ReadonlyMap<string, VipAdvertisement>;
  /** Nothing that should be in force is missing. */
  readonly complete: boolean;
}

/** What a verification on demand came to. */
export interface Verification {
  readonly compared: boolean;
  /** What somebody else had changed in what is ours. */
  readonly differences: readonly Difference[];
  /** Operations that were carried out to mend it, and whatever else was due. */
  readonly operations: number;
  /** What failed; empty = everything that should be in force is. */
  readonly failures: readonly string[];
  /** Services in the kernel that are not ours. */
  readonly foreign: number;
}

interface ReconcilerDeps {
  /** What is in force; null = nothing yet. */
  readonly accepted: () => Desired | null;
  readonly kernel: KernelDriver;
  readonly settings: SettingsDriver;
  readonly advice: HostAdvice;
  readonly routes: RouteDriver;
  readonly checks: CheckRunner;
  /** Health of the run before, if it is fresh. */
  readonly savedHealth: SavedHealth | null;
  readonly bgp: BgpSurroundings;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Until End-of-RIB has gone out, it is looked whether it may. */
const END_OF_RIB_CHECK_MS = 1_000;
/** Peers keep our old routes until End-of-RIB; this long after the first pass it goes out with what is known. */
const END_OF_RIB_DEADLINE_MS = 15_000;

/** After a verification the next one waits so many times as long as that took: anybody may ask, without credentials. */
const VERIFY_REST = 3;

/**
 * The one loop that writes to the data path. Whatever happened, a pass does the same: it looks at what is accepted,
 * what the checks say and what the kernel holds, and carries out the difference in the safe order.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #loop: Coalescer;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: Unsubscribe;
  #memory: HealthMemory;
  #restored: Verdicts | undefined;
  #prepared: Prepared | null = null;
  /** Of the last pass, and the verdicts that it knew. */
  #last: (Omit<LastDecisions, 'changed'> & { readonly mark: number }) | null = null;
  /** What the last pass would have announced if all were in force, and what was to be announced of it. */
  #allowed: Advertisements | null = null;
  #served: Advertisements | null = null;
  #view: PassView | null = null;
  #wake: Cancel | null = null;
  #stopped = false;
  #firstPassAt: number | null = null;
  #endOfRibReleased = false;
  #failure: string | null = null;
  #verifying: ((outcome: Result<Verification, CodedError>) => void)[] = [];
  /** Monotonic milliseconds before which no other verification begins. */
  #verifyFrom = -Infinity;
  #verifyWake: Cancel | null = null;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#memory = deps.savedHealth?.memory ?? emptyMemory;
    this.#restored = deps.savedHealth?.verdicts;
    this.#backoff = new Backoff({ firstMs: 500, maxMs: 30_000, factor: 2, jitter: 0.25 }, deps.random);
    this.#loop = new Coalescer(
      () => this.#pass(),
      (error) => {
        this.#failure = describeError(error);
        this.#answer(() => err(asCodedError(error)));
        deps.log.error({ error: this.#failure }, 'a reconciler pass failed');
        this.#wakeIn(this.#backoff.next());
        this.#tell();
      },
    );
    this.#unsubscribe = deps.checks.onChange(this.#loop.poke);
  }

  readonly poke = (): void => this.#loop.poke();

  /** Reads the kernel now, compares it, and mends what is not as it should be; those who ask at once share a reading. */
  verify(): Promise<Result<Verification, CodedError>> {
    if (this.#stopped) return Promise.resolve(err(stopping()));
    return new Promise((resolve) => {
      this.#verifying.push(resolve);
      this.#pokeToVerify();
    });
  }

  /** Poked after every pass. */
  onPass(poke: () => void): Unsubscribe {
    this.#listeners.add(poke);
    return () => void this.#listeners.delete(poke);
  }

  /** null before the first pass that had a configuration. */
  view(): PassView | null {
    return this.#view;
  }

  /** Why the last pass broke off, null = it did not. */
  failure(): string | null {
    return this.#failure;
  }

  /** What the next run would like to know. */
  health(): SavedHealth {
    return { verdicts: this.#deps.checks.verdicts(), memory: this.#memory };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#wake?.();
    this.#verifyWake?.();
    await this.#loop.stop();
    this.#answer(() => err(stopping()));
  }

  async #pass(): Promise<void> {
    const { counters, kernel, checks } = this.#deps;
    const desired = this.#deps.accepted();
    if (desired === null) {
      this.#answer(() => err(new CodedError('NOTHING_IN_FORCE', 'there is no configuration in force yet')));
      return;
    }
    const beganAt = this.#deps.clock.monotonic();
    // Whoever asks from now on is answered by a later pass.
    const asked = beganAt < this.#verifyFrom ? 0 : this.#verifying.length;
    const operations = counters.operations;
    counters.passes++;
    this.#firstPassAt ??= beganAt;
    const prepared = await this.#follow(desired);
    const settled = checks.settled();
    const maxAgeMs = asked > 0 ? 0 : desired.agent.verifyIntervalMs;
    const readable = await kernel.refresh(maxAgeMs);
    const comparison = kernel.comparison();
    await kernel.watch();
    // The kernel's own rules come before what they are about, such as what follows a deletion.
    await this.#deps.settings.follow(desired.agent.dataplane, desired.agent.kernel, maxAgeMs);
    const effective = this.#decide(prepared);
    const complete = await this.#carryOut(desired, effective);
    // What is only told comes last: an edit must not wait for it.
    this.#deps.advice.look(desired, kernel.picture()?.addresses ?? null, maxAgeMs);
    this.#releaseEndOfRib(settled);
    this.#failure = null;
    if (complete) this.#backoff.reset();
    this.#wakeIn(this.#nextWake(desired, effective, complete));
    this.#tell();
    if (asked > 0) {
      const { failures, foreign } = kernel.report();
      const found = readable ? comparison : { compared: false, differences: [] };
      const done = { ...found, operations: counters.operations - operations, failures, foreign: foreign.length };
      this.#answer(() => ok(done), asked);
      const now = this.#deps.clock.monotonic();
      this.#verifyFrom = now + VERIFY_REST * (now - beganAt);
    }
    // Also after a pass that came too early for them: a timer may fire a little before its time.
    if (this.#verifying.length > 0) this.#pokeToVerify();
  }

  #pokeToVerify(): void {
    const waitMs = this.#verifyFrom - this.#deps.clock.monotonic();
    if (waitMs <= 0) {
      this.#loop.poke();
      return;
    }
    this.#verifyWake ??= this.#deps.clock.after(waitMs, () => {
      this.#verifyWake = null;
      this.#loop.poke();
    });
  }

  #answer(outcome: () => Result<Verification, CodedError>, count = this.#verifying.length): void {
    for (const resolve of this.#verifying.splice(0, count)) resolve(outcome());
  }

  #tell(): void {
    for (const poke of this.#listeners) poke();
  }

  /** Hands settings and wanted checks on; each receiver leaves alone what did not change. */
  async #follow(desired: Desired): Promise<Prepared> {
    await this.#deps.kernel.use(desired.agent.dataplane);
    this.#deps.routes.configure(bgpSettings(desired.agent.bgp, this.#deps.bgp));
    if (this.#prepared?.desired === desired) return this.#prepared;
    const before = this.#prepared;
    const prepared = prepare(desired, before);
    this.#prepared = prepared;
    if (before !== null && hasSameChecks(before, prepared)) return prepared;
    this.#deps.checks.setWanted(wantedChecks(prepared), this.#restored);
    this.#restored = undefined;
    return prepared;
  }

  #decide(prepared: Prepared): Effective {
    const { clock, checks, kernel } = this.#deps;
    const last = this.#last;
    const { mark, keys } = checks.changes(last?.mark ?? null);
    const decided = effectiveState({
      prepared,
      verdicts: checks.verdicts(),
      memory: this.#memory,
      actual: kernel.picture()?.services ?? null,
      now: clock.now(),
      monotonic: clock.monotonic(),
      last: last === null || keys === null ? null : { ...last, changed: keys },
    });
    this.#last = { ...decided, prepared, mark };
    this.#memory = decided.memory;
    return decided.effective;
  }

  /** Routes go first, then the kernel changes, then new routes are told: never a route that nothing serves. */
  async #carryOut(desired: Desired, effective: Effective): Promise<boolean> {
    const { kernel, routes } = this.#deps;
    this.#allowed = routesFor(desired, effective, null, this.#allowed);
    await routes.withdrawExcept(this.#allowed.routes);
    const isKnown = kernel.picture() !== null;
    const programmed = await kernel.program(effective, desired.agent.drainTimeoutMs);
    // What is refused for one service must not keep the others from being announced: a new reading tells what holds.
    if (isKnown && kernel.picture() === null) await kernel.refresh(desired.agent.verifyIntervalMs);
    const picture = kernel.picture();
    const served = routesFor(desired, effective, picture, this.#served);
    this.#served = served;
    // While the kernel cannot be read, what was announced stays so, less what had to go.
    if (picture !== null) await routes.announce(served.routes);
    const vips = picture === null ? asAnnounced(served.vips, routes.announced()) : served.vips;
    const complete = programmed && routes.failures().length === 0;
    this.#view = { desired, effective, vips, complete };
    return complete;
  }

  /** Only a route set that was decided with verdicts in hand may end the restart (RFC 4724 section 4.1). */
  #releaseEndOfRib(settled: boolean): void {
    if (this.#endOfRibReleased) return;
    const waited = this.#deps.clock.monotonic() - (this.#firstPassAt ?? Infinity);
    if (!settled && waited < END_OF_RIB_DEADLINE_MS) return;
    this.#endOfRibReleased = true;
    this.#deps.routes.releaseEndOfRib();
  }

  #nextWake(desired: Desired, effective: Effective, complete: boolean): number {
    const { kernel, settings } = this.#deps;
    const waits = [
      kernel.dueMs(desired.agent.verifyIntervalMs),
      settings.dueMs(desired.agent.verifyIntervalMs),
      effective.nextChangeMs ?? Infinity,
      kernel.nextChangeMs() ?? Infinity,
      kernel.watchDueMs() ?? Infinity,
    ];
    if (!this.#endOfRibReleased) waits.push(END_OF_RIB_CHECK_MS);
    if (!complete) waits.push(this.#backoff.next());
    return Math.min(...waits);
  }

  #wakeIn(ms: number): void {
    this.#wake?.();
    if (!this.#stopped) this.#wake = this.#deps.clock.after(ms, this.#loop.poke);
  }
}

function stopping(): CodedError {
  return new CodedError('NOTHING_IN_FORCE', 'the agent is stopping');
}

/** What would be announced, less what is not: nothing new is, while nobody knows what the kernel holds. */
function asAnnounced(
  vips: ReadonlyMap<string, VipAdvertisement>,
  routes: readonly Route[],
): ReadonlyMap<string, VipAdvertisement> {
  const announced = new Set(routes.map(({ address }) => address));
  const reason = 'the kernel cannot be read';
  return new Map(
    [...vips].map(([name, vip]) => {
      const addresses = vip.addresses.map((one) =>
        one.advertised && !announced.has(one.address) ? { ...one, advertised: false, reason } : one,
      );
      const advertised = addresses.some((one) => one.advertised);
      return [name, { ...vip, addresses, advertised, reason: vip.advertised && !advertised ? reason : vip.reason }];
    }),
  );
}
