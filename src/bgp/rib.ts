import { familyOf, type Family, type IpAddress } from '../model/address.ts';
import { FAMILIES } from './family.ts';
import type { SessionAttributes } from './path-attributes.ts';
import type { RouteEntry, RouteTable } from './route-table.ts';
import { announcing, type Packing, withdrawing } from './update.ts';

export type NextHops = Readonly<Record<Family, IpAddress | null>>;

/** How one session announces: fixed from Established on, but for the next hops. */
export interface RibSession extends SessionAttributes {
  /** The peer's name, for routes that only some peers hear of. */
  readonly peer: string;
  readonly families: readonly Family[];
}

interface Batch {
  readonly packing: Packing;
  readonly entries: RouteEntry[];
  readonly withdraw: boolean;
}

/**
 * What one peer has been told (Adj-RIB-Out, RFC 4271 section 3.2) against what it should know. Nothing is queued: the
 * addresses that may differ are remembered, and what to say about them is read from the table at the moment of saying
 * it. So a peer that reads slowly costs no more memory than the table, and never hears of states that have passed.
 */
export class AdjRibOut {
  readonly #table: RouteTable;
  readonly #announced = new Map<IpAddress, RouteEntry>();
  /** Announced, but to be said again: a refresh, or another next hop. */
  readonly #repeat = new Set<IpAddress>();
  readonly #dirty: Readonly<Record<Family, Set<IpAddress>>> = { ipv4: new Set(), ipv6: new Set() };
  #session: RibSession | null = null;
  #nextHops: NextHops = { ipv4: null, ipv6: null };
  #plan: Batch[] | null = null;

  constructor(table: RouteTable) {
    this.#table = table;
  }

  /** Routes that the peer has been told on this session. */
  get announced(): number {
    return this.#announced.size;
  }

  /** Nothing is left to say about this family. */
  isSettled(family: Family): boolean {
    return this.#dirty[family].size === 0;
  }

  /** A session is up: the peer knows nothing of what was said on earlier ones. */
  open(session: RibSession, nextHops: NextHops): void {
    this.close();
    this.#session = session;
    this.#nextHops = nextHops;
    for (const entry of this.#table.values()) this.#dirty[entry.family].add(entry.address);
  }

  close(): void {
    this.#session = null;
    this.#plan = null;
    this.#announced.clear();
    this.#repeat.clear();
    for (const family of FAMILIES) this.#dirty[family].clear();
  }

  /** The wanted state of these addresses may have changed. */
  mark(addresses: readonly IpAddress[]): void {
    if (this.#session === null) return;
    for (const address of addresses) this.#dirty[familyOf(address)].add(address);
    this.#plan = null;
  }

  /** Everything of this family is to be said again (RFC 2918 section 4). */
  refresh(family: Family): void {
    this.#plan = null;
    for (const entry of this.#announced.values()) {
      if (entry.family !== family) continue;
      this.#repeat.add(entry.address);
      this.#dirty[family].add(entry.address);
    }
  }

  /** A family that gets or loses a next hop is announced or withdrawn as a whole. */
  setNextHops(nextHops: NextHops): void {
    for (const family of FAMILIES) {
      if (nextHops[family] === this.#nextHops[family]) continue;
      this.refresh(family);
      for (const entry of this.#table.values()) if (entry.family === family) this.#dirty[family].add(entry.address);
    }
    this.#nextHops = nextHops;
  }

  /** At most `limit` further messages, withdrawals first. They count as said. */
  take(limit: number): Uint8Array[] {
    if (this.#session === null) return [];
    this.#plan ??= this.#planned(this.#session);
    const messages: Uint8Array[] = [];
    for (let batch = this.#plan[0]; batch !== undefined && messages.length < limit; batch = this.#plan[0]) {
      const entries = batch.entries.splice(-batch.packing.perMessage);
      messages.push(batch.packing.pack(entries.map((entry) => entry.nlri)));
      for (const entry of entries) this.#said(entry, batch.withdraw);
      if (batch.entries.length === 0) this.#plan.shift();
    }
    if (this.#plan.length === 0) this.#plan = null;
    return messages;
  }

  #said(entry: RouteEntry, withdraw: boolean): void {
    if (withdraw) this.#announced.delete(entry.address);
    else this.#announced.set(entry.address, entry);
    this.#repeat.delete(entry.address);
    this.#dirty[entry.family].delete(entry.address);
  }

  #wanted(address: IpAddress, peer: string): RouteEntry | undefined {
    const entry = this.#table.get(address);
    return entry?.peers?.has(peer) === false ? undefined : entry;
  }

  /** What is left to say, withdrawals first. */
  #planned(session: RibSession): Batch[] {
    const batches = FAMILIES.flatMap((family) => this.#plannedFor(family, session));
    return [...batches.filter((each) => each.withdraw), ...batches.filter((each) => !each.withdraw)];
  }

  #plannedFor(family: Family, session: RibSession): Batch[] {
    const dirty = this.#dirty[family];
    const nextHop = session.families.includes(family) ? this.#nextHops[family] : null;
    const gone: RouteEntry[] = [];
    const groups = new Map<string, Batch>();
    // Neighbours mostly share their attributes, so the last group is the first guess.
    let group: Batch | undefined;
    let groupKey = '';
    for (const address of dirty) {
      const wanted = nextHop === null ? undefined : this.#wanted(address, session.peer);
      const known = this.#announced.get(address);
      if (nextHop === null || wanted === undefined) {
        if (known === undefined) dirty.delete(address);
        else gone.push(known);
        continue;
      }
      const { attributes } = wanted;
      if (known?.attributes.key === attributes.key && !this.#repeat.has(address)) {
        dirty.delete(address);
        continue;
      }
      if (group === undefined || groupKey !== attributes.key) {
        groupKey = attributes.key;
        group = groups.get(groupKey);
        group ??= { packing: announcing(family, attributes, session, nextHop), entries: [], withdraw: false };
        groups.set(groupKey, group);
      }
      group.entries.push(wanted);
    }
    const withdrawal = { packing: withdrawing(family), entries: gone, withdraw: true };
    return gone.length === 0 ? [...groups.values()] : [withdrawal, ...groups.values()];
  }
}
