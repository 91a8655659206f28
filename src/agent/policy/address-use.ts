import type { DataplaneOp, ServiceKey } from '../../ipvs/dataplane.ts';
import { addressOrFamilyIn, deletedServices, isMarkKey } from '../../ipvs/dataplane.ts';
import type { IpAddress } from '../../model/address.ts';
import { familyOf } from '../../model/address.ts';
import type { Named } from './desired-state.ts';
import type { Effective } from './effective-state.ts';
import type { Journal, JournalAddress } from './journal.ts';
import { leavingTimeMs } from './leaving-time.ts';

export interface AddressUseInput {
  readonly effective: Effective;
  /** As the plan of the services leaves it. */
  readonly journal: Journal;
  /** Operations on services in the same pass; deletions of addresses come after them. */
  readonly serviceOps: readonly DataplaneOp[];
  /** As in the plan of the services. */
  readonly drainTimeoutMs: number;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/**
 * Which kernel services need an address of ours: without it the host does not take their packets. Those by address say
 * so themselves. Of those by mark the records tell, and when they go on at another address, the connections that they
 * had at this one get the time that a kernel service by address would have had; the kernel counts them together with
 * the new ones, so that nobody knows when the last of them ends.
 */
export class AddressUse {
  readonly #input: AddressUseInput;
  readonly #marks: ReadonlyMap<IpAddress, readonly ServiceKey[]>;
  readonly #deleted: ReadonlySet<ServiceKey>;
  #inUse: ReadonlySet<string> | null = null;

  constructor(input: AddressUseInput) {
    this.#input = input;
    this.#marks = marksByAddress(input.effective);
    this.#deleted = deletedServices(input.serviceOps);
  }

  /** What the journal is to say of an address: the very same object if that is what it says. */
  noted(place: JournalAddress, before: JournalAddress | undefined): JournalAddress {
    const { interface: name, address } = place;
    const known = before?.marks ?? NO_MARKS;
    const marks: Record<string, number | null> = {};
    for (const key of this.#marks.get(address) ?? []) marks[key] = null;
    for (const [key, since] of Object.entries(known)) {
      if (Object.hasOwn(marks, key)) continue;
      // Not in the future, so that a clock that was set back keeps nothing for ever.
      const movedAt = Math.min(since ?? this.#input.now, this.#input.now);
      if (this.#input.now < this.#until(key as ServiceKey, movedAt)) marks[key] = movedAt;
    }
    if (before !== undefined && sameMarks(known, marks)) return before;
    return Object.keys(marks).length === 0 ? { interface: name, address } : { interface: name, address, marks };
  }

  /**
   * @param address as `noted`
   * @returns until when it is needed, in wall-clock milliseconds: Infinity = nobody knows yet; null = it is not
   */
  neededUntil({ address, marks = NO_MARKS }: JournalAddress): number | null {
    this.#inUse ??= this.#addressesInUse();
    if (this.#inUse.has(address) || this.#inUse.has(familyOf(address))) return Infinity;
    const ends = Object.entries(marks).map(([key, movedAt]) => {
      return movedAt === null ? Infinity : this.#until(key as ServiceKey, movedAt);
    });
    return ends.length === 0 ? null : Math.max(...ends);
  }

  /**
   * @param address as `noted`
   * @returns when the next mark that has moved away is over, in wall-clock milliseconds: Infinity = nobody knows yet;
   *   null = none has
   */
  nextOverAt({ marks = NO_MARKS }: JournalAddress): number | null {
    let first: number | null = null;
    for (const [key, movedAt] of Object.entries(marks)) {
      if (movedAt !== null) first = Math.min(first ?? Infinity, this.#until(key as ServiceKey, movedAt));
    }
    return first;
  }

  /** When the connections that a mark had at an address are over. */
  #until(key: ServiceKey, movedAt: number): number {
    const { effective, journal, drainTimeoutMs, now } = this.#input;
    const wanted = effective.kernel.get(key);
    if (wanted !== undefined) return movedAt + leavingTimeMs(drainTimeoutMs, wanted.drainTimeoutMs);
    return Object.hasOwn(journal.services, key) && !this.#deleted.has(key) ? Infinity : now;
  }

  /**
   * Addresses of kernel services that are ours after the operations, and families that need all of theirs: a service by
   * mark that leaves does not say which addresses its mark was given to packets for, since rules of others may give it.
   */
  #addressesInUse(): ReadonlySet<string> {
    const used = new Set<string>();
    for (const [key, { leaving }] of Object.entries(this.#input.journal.services)) {
      if (!this.#deleted.has(key as ServiceKey) && (!isMarkKey(key) || leaving !== null))
        used.add(addressOrFamilyIn(key));
    }
    return used;
  }
}

const NO_MARKS: Named<number | null> = {};

/** Kernel services by mark, by the addresses of their VIP. */
function marksByAddress({ vips, services }: Effective): ReadonlyMap<IpAddress, readonly ServiceKey[]> {
  const found = new Map<IpAddress, ServiceKey[]>();
  for (const vip of vips.values()) {
    const marks = vip.services.flatMap((name) => services.get(name)?.kernelKeys.filter(isMarkKey) ?? []);
    if (marks.length === 0) continue;
    for (const address of vip.addresses) {
      const own = marks.filter((key) => addressOrFamilyIn(key) === familyOf(address));
      found.set(address, [...(found.get(address) ?? []), ...own]);
    }
  }
  return found;
}

function sameMarks(a: Named<number | null>, b: Named<number | null>): boolean {
  const keys = Object.keys(b);
  return keys.length === Object.keys(a).length && keys.every((key) => Object.hasOwn(a, key) && a[key] === b[key]);
}
