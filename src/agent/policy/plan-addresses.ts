import type { AddressOp, InterfaceAddress } from '../../ipvs/addresses.ts';
import type { IpAddress } from '../../model/address.ts';
import { AddressUse } from './address-use.ts';
import type { AddressUseInput } from './address-use.ts';
import { named } from './desired-state.ts';
import { earlier } from './effective-service.ts';
import type { Effective } from './effective-state.ts';
import type { Journal, JournalAddress, LeavingAddress } from './journal.ts';
import { addressKey } from './journal.ts';

export interface AddressPlanInput extends AddressUseInput {
  readonly actual: readonly InterfaceAddress[];
  /** What an earlier plan found in order. As long as it is still the same, nothing is looked into again. */
  readonly settled?: SettledAddresses | null;
}

/** Nothing was left to do, as these objects said. */
export interface SettledAddresses {
  readonly vips: Effective['vips'];
  readonly actual: AddressPlanInput['actual'];
  readonly addresses: Journal['addresses'];
  readonly borrowed: readonly JournalAddress[];
}

export interface AddressPlanResult {
  /** Additions, which come before the services, then deletions, which come after them. */
  readonly ops: readonly AddressOp[];
  /** To be on disk before the first operation; the same object if nothing changed. */
  readonly journal: Journal;
  /** Wanted, and there before us: used, never removed. */
  readonly borrowed: readonly JournalAddress[];
  /** Not wanted, and there for the last connections at them. */
  readonly leaving: readonly LeavingAddress[];
  /** null = something is left to do, or waits for its service or its time to end. */
  readonly settled: SettledAddresses | null;
  /** Milliseconds until the time of a mark at an address is over; null = there is none that ends by itself. */
  readonly nextChangeMs: number | null;
}

/**
 * VIP addresses to add to interfaces, and ours to take away again. An address at which a kernel service of ours still
 * serves its last connections stays, until another interface has it as well. One that is wanted and bears our mark is ours,
 * though the journal was lost; one that is not wanted is only deleted if the journal has it, as the mark may be that of
 * another agent.
 */
export function planAddresses(input: AddressPlanInput): AddressPlanResult {
  const { effective, journal, actual, settled, now } = input;
  const isSettled =
    settled?.vips === effective.vips && settled.actual === actual && settled.addresses === journal.addresses;
  if (isSettled) return { ops: [], journal, borrowed: settled.borrowed, leaving: [], settled, nextChangeMs: null };
  const there = new Map(input.actual.map((each) => [addressKey(each), each]));
  const use = new AddressUse(input);
  const wanted = wantedAddresses(effective);
  const adding: AddressOp[] = [];
  const deleting: AddressOp[] = [];
  const borrowed: JournalAddress[] = [];
  const leaving: LeavingAddress[] = [];
  const elsewhere = new Set<IpAddress>();
  const addresses: [string, JournalAddress][] = [];
  let changed = false;
  let isDone = true;
  let nextChangeMs: number | null = null;
  for (const [key, place] of wanted) {
    const before = named(journal.addresses, key);
    const found = there.get(key);
    if (found !== undefined) elsewhere.add(place.address);
    if (found === undefined) adding.push({ kind: 'addAddress', ...place });
    else if (before === undefined && !found.marked) {
      borrowed.push(place);
      continue;
    }
    const after = use.noted(place, before);
    addresses.push([key, after]);
    changed ||= after !== before;
    // What has moved away from here is still marked here for its time.
    const overAt = use.nextOverAt(after);
    isDone &&= overAt === null;
    nextChangeMs = earlier(nextChangeMs, waitMs(overAt, now));
  }
  for (const [key, before] of Object.entries(journal.addresses)) {
    if (wanted.has(key)) continue;
    if (!there.has(key)) {
      changed = true;
      continue;
    }
    isDone = false;
    const after = use.noted(before, before);
    addresses.push([key, after]);
    changed ||= after !== before;
    const { interface: name, address } = after;
    const until = elsewhere.has(address) ? null : use.neededUntil(after);
    if (until === null) {
      deleting.push({ kind: 'deleteAddress', interface: name, address });
      continue;
    }
    leaving.push({ interface: name, address, until: Number.isFinite(until) ? until : null });
    nextChangeMs = earlier(nextChangeMs, waitMs(use.nextOverAt(after), now));
  }
  isDone &&= adding.length === 0 && !changed;
  return {
    ops: [...adding, ...deleting],
    journal: changed ? { ...journal, addresses: Object.fromEntries(addresses) } : journal,
    borrowed,
    leaving,
    settled: isDone ? { vips: effective.vips, actual, addresses: journal.addresses, borrowed } : null,
    nextChangeMs,
  };
}

/** @param at wall-clock milliseconds: null = never, Infinity = nobody knows */
function waitMs(at: number | null, now: number): number | null {
  return at === null || at === Infinity ? null : Math.max(0, at - now);
}

function wantedAddresses({ vips }: Effective): ReadonlyMap<string, JournalAddress> {
  const wanted = new Map<string, JournalAddress>();
  for (const vip of vips.values()) {
    if (vip.interface === null) continue;
    for (const address of vip.addresses) {
      const place: JournalAddress = { interface: vip.interface, address };
      wanted.set(addressKey(place), place);
    }
  }
  return wanted;
}
