import type {
  ActualDestination,
  ActualService,
  DataplaneOp,
  DataplaneState,
  DestinationKey,
  KernelDestination,
  KernelService,
  ServiceKey,
} from '../../ipvs/dataplane.ts';
import { sameDestination, sameService } from '../../ipvs/equality.ts';
import type { Named } from './desired-state.ts';
import { named } from './desired-state.ts';
import { earlier } from './effective-service.ts';
import type { Effective, WantedService } from './effective-state.ts';
import { connectionsOf, totalOf } from './connections.ts';
import { leavingTimeMs } from './leaving-time.ts';
import type { Journal, JournalService, Leaving, LeavingDestination, LeavingEntry } from './journal.ts';

export interface PlanInput {
  readonly effective: Effective;
  readonly actual: DataplaneState;
  /** Wall-clock milliseconds at which `actual` was read: its connection counts are no younger. */
  readonly activityAt: number;
  readonly journal: Journal;
  /** What was effective before, for the names of reals that leave; null = not known. */
  readonly previous: Effective | null;
  /** What the plan before found in order. Whatever of it is still the same is not looked into again. */
  readonly settled?: Settled;
  /** How long what leaves may keep its connections, unless its service says; 0 = nothing may linger in any case. */
  readonly drainTimeoutMs: number;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export interface PlanResult {
  /** In order: what adds, then what takes away, so that no service is empty in between. */
  readonly ops: readonly DataplaneOp[];
  /** To be on disk before the first operation; the same object if nothing changed. */
  readonly journal: Journal;
  /** In the kernel, not ours, never touched. */
  readonly foreign: readonly ServiceKey[];
  /** Wanted and already in the kernel, now ours. */
  readonly adopted: readonly ServiceKey[];
  readonly leaving: readonly LeavingEntry[];
  readonly settled: Settled;
  /** Milliseconds until a deadline passes; null = there is none. Connections that end are only seen by reading again. */
  readonly nextChangeMs: number | null;
}

/** Kernel services in which nothing was left to do, with the objects that said so. */
export type Settled = ReadonlyMap<ServiceKey, SettledService>;

interface SettledService {
  readonly wanted: WantedService;
  readonly service: KernelService;
  readonly destinations: ActualService['destinations'];
  readonly entry: JournalService;
}

/** How long a destination that leaves may stand in for new ones that await their first verdict, if others are in. */
const STAND_IN_MS = 30_000;

/**
 * The difference between what is effective and what the kernel holds, as operations. What is wanted and there is
 * adopted and only edited; what is ours and not wanted leaves gently; anything else is foreign.
 */
export function plan(input: PlanInput): PlanResult {
  const planner = new Planner(input);
  for (const wanted of input.effective.kernel.values()) planner.want(wanted);
  for (const [key, entry] of Object.entries(input.journal.services)) {
    if (!input.effective.kernel.has(key as ServiceKey)) planner.release(key as ServiceKey, entry);
  }
  return planner.result();
}

class Planner {
  readonly #input: PlanInput;
  readonly #services: DataplaneOp[] = [];
  readonly #adds: DataplaneOp[] = [];
  readonly #raises: DataplaneOp[] = [];
  readonly #lowers: DataplaneOp[] = [];
  readonly #deletes: DataplaneOp[] = [];
  readonly #serviceDeletes: DataplaneOp[] = [];
  readonly #journal: [string, JournalService][] = [];
  readonly #settled = new Map<ServiceKey, SettledService>();
  #journalChanged = false;
  readonly #adopted: ServiceKey[] = [];
  readonly #leaving: LeavingEntry[] = [];
  #nextChangeMs: number | null = null;

  constructor(input: PlanInput) {
    this.#input = input;
  }

  want(wanted: WantedService): void {
    const { kernel, key } = wanted;
    const entry = named(this.#input.journal.services, key);
    const there = this.#input.actual.get(key);
    if (there === undefined) {
      this.#services.push({ kind: 'addService', service: kernel });
      for (const { destination } of wanted.destinations.values()) this.#add(kernel, destination);
      this.#keep(key, entry, { ...originOf(wanted), leaving: null, destinations: {} });
      return;
    }
    const known = this.#input.settled?.get(key);
    if (known !== undefined && isStillSettled(known, wanted, there, entry)) {
      this.#settled.set(key, known);
      this.#journal.push([key, known.entry]);
      return;
    }
    if (entry === undefined) this.#adopted.push(key);
    const inOrder = this.#compare(wanted, there);
    const destinations = this.#retireUnwanted(wanted, there, entry);
    const kept = this.#keep(key, entry, { ...originOf(wanted), leaving: null, destinations });
    if (!inOrder || destinations !== NOTHING_LEAVES || there.destinations.size !== wanted.destinations.size) return;
    this.#settled.set(key, { wanted, service: there.service, destinations: there.destinations, entry: kept });
  }

  /** A kernel service of ours that nothing wants: all weights 0, and gone when its connections are. */
  release(key: ServiceKey, entry: JournalService): void {
    const there = this.#input.actual.get(key);
    if (there === undefined) {
      this.#journalChanged = true;
      return;
    }
    const destinations = [...there.destinations.values()];
    const quiet = destinations.every(({ destination }) => destination.weight === 0);
    // A record that is disabled, or went elsewhere, is still there and may be edited; of others the journal knows.
    const { service } = entry;
    const { drainTimeoutMs = null } = this.#input.effective.services.get(service) ?? entry;
    const leaving = this.#leave(entry.leaving, quiet, false, leavingTimeMs(this.#input.drainTimeoutMs, drainTimeoutMs));
    const origin = originOf({ service, drainTimeoutMs });
    this.#keep(key, entry, { ...origin, leaving, destinations: entry.destinations });
    const { match } = there.service;
    if (this.#isOver(entry.leaving, leaving, quiet, destinations)) {
      this.#serviceDeletes.push({ kind: 'deleteService', match });
      return;
    }
    this.#until(leaving.until);
    for (const [destinationKey, { destination, activity }] of there.destinations) {
      if (destination.weight > 0) {
        this.#lowers.push({ kind: 'editDestination', match, destination: { ...destination, weight: 0 } });
      }
      const real = named(entry.destinations, destinationKey)?.real ?? this.#nameOf(key, destinationKey);
      const { since, until } = leaving;
      this.#leaving.push({
        key,
        destination: destinationKey,
        service: entry.service,
        real,
        weight: 0,
        since,
        until,
        connections: connectionsOf(activity),
      });
    }
  }

  result(): PlanResult {
    const { journal, actual, effective } = this.#input;
    const services = this.#journalChanged ? Object.fromEntries(this.#journal) : journal.services;
    const isOurs = (key: ServiceKey): boolean => effective.kernel.has(key) || Object.hasOwn(journal.services, key);
    return {
      ops: [this.#services, this.#adds, this.#raises, this.#lowers, this.#deletes, this.#serviceDeletes].flat(),
      journal: this.#journalChanged ? { ...journal, services } : journal,
      foreign: [...actual.keys()].filter((key) => !isOurs(key)),
      adopted: this.#adopted,
      leaving: this.#leaving,
      settled: this.#settled,
      nextChangeMs: this.#nextChangeMs,
    };
  }

  /** What is wanted and missing or different. @returns whether nothing is */
  #compare(wanted: WantedService, there: ActualService): boolean {
    const { kernel } = wanted;
    let inOrder = sameService(kernel, there.service);
    if (!inOrder) this.#services.push({ kind: 'editService', service: kernel });
    for (const [key, { destination }] of wanted.destinations) {
      const actual = there.destinations.get(key)?.destination;
      if (actual !== undefined && isAsWanted(destination, actual)) continue;
      inOrder = false;
      if (actual === undefined) this.#add(kernel, destination);
      else this.#edit(kernel, destination, actual);
    }
    return inOrder;
  }

  #add({ match }: KernelService, destination: KernelDestination): void {
    this.#adds.push({ kind: 'addDestination', match, destination });
  }

  #edit({ match }: KernelService, destination: KernelDestination, actual: KernelDestination): void {
    const bucket = destination.weight < actual.weight ? this.#lowers : this.#raises;
    bucket.push({ kind: 'editDestination', match, destination });
  }

  #retireUnwanted(
    wanted: WantedService,
    there: ActualService,
    entry: JournalService | undefined,
  ): Named<LeavingDestination> {
    const leaving: [string, LeavingDestination][] = [];
    for (const [key, actual] of there.destinations) {
      if (wanted.destinations.has(key)) continue;
      const before = entry === undefined ? undefined : named(entry.destinations, key);
      const after = this.#retire(wanted, key, actual, before ?? null);
      if (after !== null) leaving.push([key, after]);
    }
    return leaving.length === 0 ? NOTHING_LEAVES : Object.fromEntries(leaving);
  }

  /** @returns what to note of it, null if it goes at once */
  #retire(
    wanted: WantedService,
    key: DestinationKey,
    actual: ActualDestination,
    before: LeavingDestination | null,
  ): LeavingDestination | null {
    const { match } = wanted.kernel;
    const { address, port, weight } = actual.destination;
    const outgoing = wanted.out.get(key);
    if (outgoing?.removal === 'now') {
      this.#deletes.push({ kind: 'deleteDestination', match, address, port });
      return null;
    }
    const timeoutMs = leavingTimeMs(this.#input.drainTimeoutMs, wanted.drainTimeoutMs);
    const standsIn = outgoing === undefined && this.#mayStandIn(wanted, before, timeoutMs);
    const leaving = this.#leave(before, weight === 0, standsIn, timeoutMs);
    if (this.#isOver(before, leaving, weight === 0, [actual])) {
      this.#deletes.push({ kind: 'deleteDestination', match, address, port });
    } else if (weight > 0 && !standsIn) {
      this.#lowers.push({ kind: 'editDestination', match, destination: { ...actual.destination, weight: 0 } });
    }
    this.#until(leaving.until);
    const real = outgoing?.real ?? before?.real ?? this.#nameOf(wanted.key, key);
    const { since, until } = leaving;
    const stays = standsIn ? weight : 0;
    this.#leaving.push({
      key: wanted.key,
      destination: key,
      service: wanted.service,
      real,
      weight: stays,
      since,
      until,
      connections: connectionsOf(actual.activity),
    });
    if (before !== null && before.real === real && sameLeaving(before, leaving)) return before;
    return { ...leaving, real };
  }

  /** Reals that replace others are not in the pool before their first verdict; until then the others stay. */
  #mayStandIn(wanted: WantedService, before: Leaving | null, timeoutMs: number): boolean {
    if (!wanted.pending) return false;
    const { now } = this.#input;
    const othersAreIn = [...wanted.destinations.values()].some(({ destination }) => destination.weight > 0);
    const allowed = othersAreIn ? Math.min(STAND_IN_MS, timeoutMs) : timeoutMs;
    const end = (before?.since ?? now) + allowed;
    if (now < end) this.#until(end);
    return now < end;
  }

  #leave(before: Leaving | null, isQuiet: boolean, standsIn: boolean, timeoutMs: number): Leaving {
    const { now } = this.#input;
    // Not in the future, so that a clock that was set back keeps nothing for ever.
    const since = Math.min(before?.since ?? now, now);
    const quietAt = isQuiet ? Math.min(before?.quietAt ?? now, now) : standsIn ? null : now;
    return { since, until: since + timeoutMs, quietAt };
  }

  /** Counts that were read before the weight was 0 prove nothing: a connection may have come since. */
  #isOver(
    before: Leaving | null,
    leaving: Leaving,
    isQuiet: boolean,
    destinations: readonly ActualDestination[],
  ): boolean {
    const { now, activityAt } = this.#input;
    if (now >= leaving.until || destinations.length === 0) return true;
    const quietAt = before?.quietAt ?? null;
    return isQuiet && quietAt !== null && activityAt > quietAt && destinations.every(isIdle);
  }

  #until(at: number): void {
    this.#nextChangeMs = earlier(this.#nextChangeMs, Math.max(0, at - this.#input.now));
  }

  #nameOf(key: ServiceKey, destination: DestinationKey): string | null {
    return this.#input.previous?.kernel.get(key)?.destinations.get(destination)?.real ?? null;
  }

  #keep(key: ServiceKey, before: JournalService | undefined, after: JournalService): JournalService {
    const same = before !== undefined && sameEntry(before, after);
    if (!same) this.#journalChanged = true;
    const kept = same ? before : after;
    this.#journal.push([key, kept]);
    return kept;
  }
}

const NOTHING_LEAVES: Named<LeavingDestination> = {};

/** By identity, and so at a cost that does not grow with the reals. Counters, which always change, are not looked at. */
function isStillSettled(
  known: SettledService,
  wanted: WantedService,
  there: ActualService,
  entry: JournalService | undefined,
): boolean {
  return (
    known.wanted === wanted &&
    known.service === there.service &&
    known.destinations === there.destinations &&
    known.entry === entry
  );
}

function isIdle({ activity }: ActualDestination): boolean {
  return totalOf(connectionsOf(activity)) === 0;
}

/** What the journal says of the record behind a kernel service. */
function originOf({ service, drainTimeoutMs }: Pick<WantedService, 'service' | 'drainTimeoutMs'>) {
  return drainTimeoutMs === null ? { service } : { service, drainTimeoutMs };
}

function sameEntry(a: JournalService, b: JournalService): boolean {
  if (a.service !== b.service || a.drainTimeoutMs !== b.drainTimeoutMs || !sameLeaving(a.leaving, b.leaving))
    return false;
  const keys = Object.keys(b.destinations);
  if (keys.length !== Object.keys(a.destinations).length) return false;
  return keys.every((key) => named(a.destinations, key) === named(b.destinations, key));
}

function sameLeaving(a: Leaving | null, b: Leaving | null): boolean {
  if (a === null || b === null) return a === b;
  return a.since === b.since && a.until === b.until && a.quietAt === b.quietAt;
}

/** Whether the kernel has what is wanted. One that finds an address to be its own says "local", whatever it was told. */
function isAsWanted(wanted: KernelDestination, actual: KernelDestination): boolean {
  const local = actual.forwarding.method === 'local';
  return sameDestination(wanted, local ? { ...actual, forwarding: wanted.forwarding } : actual);
}
