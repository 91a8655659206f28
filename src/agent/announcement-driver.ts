import { asCodedError } from '../core/errors.ts';
import type { CodedError } from '../core/errors.ts';
import type { Cancel, Clock, Log } from '../core/ports.ts';
import { err } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { Turns } from '../core/turns.ts';
import type { Announced, HeldAddress, NeighborAnnouncer } from '../ipvs/announce/neighbor-announcer.ts';
import { addressKey } from './policy/journal.ts';

/** One address that is being announced. */
interface Announcement extends HeldAddress {
  /** Why the last one could not be sent; null = it was, or none was yet. */
  failure: string | null;
  /** No more will be sent by itself. */
  over: boolean;
}

/**
 * Milliseconds from one announcement of an address to the next, so three in all: a frame may get lost, and a switch may
 * still be learning. RFC 5227 section 1.1 wants two ARP announcements 2 s apart (ANNOUNCE_NUM, ANNOUNCE_INTERVAL);
 * RFC 4861 section 7.2.6 allows three advertisements (MAX_NEIGHBOR_ADVERTISEMENT) at least 1 s apart (RETRANS_TIMER).
 */
const PAUSES_MS = [2_000, 4_000] as const;

/**
 * Tells the neighbours where an address is now that was put on an interface, a few times. What could not be told does
 * not hold up anything; it is told in the status, and tried again after the next reading of the kernel.
 */
export class AnnouncementDriver {
  readonly #clock: Clock;
  readonly #log: Log;
  /** By address key: those that go on, and those that failed. */
  readonly #current = new Map<string, Announcement>();
  readonly #timers = new Set<Cancel>();
  readonly #turns = new Turns();

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  failures(): readonly string[] {
    return [...this.#current.values()].flatMap((one) =>
      one.failure === null ? [] : [`announce ${one.address} on ${one.interface}: ${one.failure}`],
    );
  }

  /** Begins with addresses that have just been put on interfaces; returns when the first announcements are out. */
  async begin(neighbors: NeighborAnnouncer, added: readonly HeldAddress[]): Promise<void> {
    if (added.length === 0) return;
    const series = added.map((held): Announcement => {
      const failure = this.#current.get(addressKey(held))?.failure ?? null;
      return { interface: held.interface, address: held.address, failure, over: false };
    });
    for (const one of series) this.#current.set(addressKey(one), one);
    await this.#turns.run(() => this.#announce(neighbors, series, PAUSES_MS));
  }

  /** Ends with addresses that are about to be removed: once it returns, none of them is announced any more. */
  async end(removing: readonly HeldAddress[]): Promise<void> {
    if (this.#current.size === 0) return;
    for (const held of removing) this.#current.delete(addressKey(held));
    await this.#turns.run(() => Promise.resolve());
  }

  /** After a reading: ends with what others have removed, and tries again what failed. */
  async review(neighbors: NeighborAnnouncer, held: readonly HeldAddress[]): Promise<void> {
    if (this.#current.size === 0) return;
    const there = new Set(held.map(addressKey));
    for (const key of this.#current.keys()) if (!there.has(key)) this.#current.delete(key);
    await this.begin(
      neighbors,
      [...this.#current.values()].filter(({ over }) => over),
    );
  }

  stop(): void {
    this.#current.clear();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  async #announce(neighbors: NeighborAnnouncer, series: readonly Announcement[], pauses: readonly number[]) {
    const due = series.filter((one) => this.#isCurrent(one));
    if (due.length === 0) return;
    const outcomes = await outcomesOf(neighbors, due);
    for (const [at, one] of due.entries()) {
      const outcome = outcomes[at];
      if (outcome !== undefined && this.#isCurrent(one)) this.#note(one, outcome, pauses.length === 0);
    }
    const [pause, ...later] = pauses;
    if (pause === undefined || !due.some((one) => this.#isCurrent(one))) return;
    const cancel = this.#clock.after(pause, () => {
      this.#timers.delete(cancel);
      void this.#turns.run(() => this.#announce(neighbors, series, later));
    });
    this.#timers.add(cancel);
  }

  /** Not after its address was removed, or put there anew. */
  #isCurrent(one: Announcement): boolean {
    return this.#current.get(addressKey(one)) === one;
  }

  #note(one: Announcement, outcome: Result<Announced, CodedError>, isLast: boolean): void {
    const { interface: name, address } = one;
    if (outcome.ok) {
      if (one.failure !== null) this.#log.info({ interface: name, address }, 'the neighbours have been told at last');
      one.failure = null;
      if (isLast || outcome.value === 'noNeighbors') this.#current.delete(addressKey(one));
      return;
    }
    const error = outcome.error.message;
    if (one.failure !== error)
      this.#log.error({ interface: name, address, error }, 'neighbours cannot be told of a VIP');
    one.failure = error;
    one.over = isLast;
  }
}

async function outcomesOf(
  neighbors: NeighborAnnouncer,
  due: readonly HeldAddress[],
): Promise<readonly Result<Announced, CodedError>[]> {
  try {
    return await neighbors.announce(due);
  } catch (error) {
    return due.map(() => err(asCodedError(error)));
  }
}
