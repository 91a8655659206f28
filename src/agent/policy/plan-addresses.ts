import type { AddressOp, InterfaceAddress } from '../../ipvs/addresses.ts';
import type { DataplaneOp } from '../../ipvs/dataplane.ts';
import { serviceKeyOf } from '../../ipvs/dataplane.ts';
import { familyOf } from '../../model/address.ts';
import type { Effective } from './effective-state.ts';
import type { Journal, JournalAddress } from './journal.ts';
import { addressKey } from './journal.ts';

export interface AddressPlanInput {
  readonly effective: Effective;
  readonly actual: readonly InterfaceAddress[];
  /** As the plan of the services leaves it. */
  readonly journal: Journal;
  /** Operations on services in the same pass; deletions of addresses come after them. */
  readonly serviceOps: readonly DataplaneOp[];
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
  /** null = something is left to do, or waits for its service to end. */
  readonly settled: SettledAddresses | null;
}

/**
 * VIP addresses to add to interfaces, and ours to take away again. An address under which a kernel service of ours
 * still serves its last connections stays. One that is wanted and bears our mark is ours, though the journal was lost;
 * one that is not wanted is only deleted if the journal has it, as the mark may be that of another agent.
 */
export function planAddresses(input: AddressPlanInput): AddressPlanResult {
  const { effective, journal, actual, settled } = input;
  const isSettled =
    settled?.vips === effective.vips && settled.actual === actual && settled.addresses === journal.addresses;
  if (isSettled) return { ops: [], journal, borrowed: settled.borrowed, settled };
  const there = new Map(input.actual.map((each) => [addressKey(each), each]));
  const wanted = new Map<string, JournalAddress>();
  for (const vip of effective.vips.values()) {
    if (vip.interface === null) continue;
    for (const address of vip.addresses) {
      const entry: JournalAddress = { interface: vip.interface, address };
      wanted.set(addressKey(entry), entry);
    }
  }
  const adding: AddressOp[] = [];
  const deleting: AddressOp[] = [];
  const borrowed: JournalAddress[] = [];
  const addresses: [string, JournalAddress][] = [];
  let changed = false;
  for (const [key, entry] of wanted) {
    const isNoted = Object.hasOwn(journal.addresses, key);
    const found = there.get(key);
    if (found === undefined) adding.push({ kind: 'addAddress', ...entry });
    else if (!isNoted && !found.marked) {
      borrowed.push(entry);
      continue;
    }
    addresses.push([key, entry]);
    changed ||= !isNoted;
  }
  let inUse: ReadonlySet<string> | null = null;
  for (const [key, entry] of Object.entries(journal.addresses)) {
    if (wanted.has(key)) continue;
    if (!there.has(key)) {
      changed = true;
      continue;
    }
    addresses.push([key, entry]);
    inUse ??= addressesInUse(journal, input.serviceOps);
    if (!inUse.has(entry.address) && !inUse.has(familyOf(entry.address))) {
      deleting.push({ kind: 'deleteAddress', interface: entry.interface, address: entry.address });
    }
  }
  const isDone = adding.length === 0 && inUse === null && !changed;
  return {
    ops: [...adding, ...deleting],
    journal: changed ? { ...journal, addresses: Object.fromEntries(addresses) } : journal,
    borrowed,
    settled: isDone ? { vips: effective.vips, actual, addresses: journal.addresses, borrowed } : null,
  };
}

/**
 * Addresses of kernel services that are ours after the operations, and families that need all of theirs: a service that
 * leaves does not say which addresses its mark was given to packets for, and without its address a host does not take
 * them. A ServiceKey of an address has it in its middle, one of a mark the family.
 */
function addressesInUse(journal: Journal, ops: readonly DataplaneOp[]): ReadonlySet<string> {
  const deleted = new Set<string>();
  for (const op of ops) if (op.kind === 'deleteService') deleted.add(serviceKeyOf(op.match));
  const used = new Set<string>();
  for (const [key, { leaving }] of Object.entries(journal.services)) {
    const isMark = key.startsWith('fwmark|');
    if (!deleted.has(key) && (!isMark || leaving !== null)) used.add(key.split('|')[1] ?? '');
  }
  return used;
}
