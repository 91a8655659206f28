import { familyOf, type Family, type IpAddress } from '../model/address.ts';
import { type LargeCommunity, parseCommunity, parseLargeCommunity } from './community.ts';
import { encodeHostPrefix } from './prefix.ts';
import type { RouteAttributes, RouteDelta } from './route-delta.ts';

/** The attributes that routes share. */
export interface AttributeSet {
  /** Equal exactly when everything else is. */
  readonly key: string;
  /** Ascending, without duplicates: some routers drop a repeated community, others keep it. */
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  readonly med: number | null;
  readonly prepend: number;
  readonly localPref: number | null;
}

/** Everything about a route but its address. */
interface RouteMeaning {
  readonly attributes: AttributeSet;
  /** The only peers that hear of it; null = all. */
  readonly peers: ReadonlySet<string> | null;
}

export interface RouteEntry extends RouteMeaning {
  readonly address: IpAddress;
  readonly family: Family;
  readonly nlri: Uint8Array;
}

/** More than this could crowd a message so that no prefix fits beside the attributes. */
const MAX_COMMUNITIES = 128;
const MAX_LARGE_COMMUNITIES = 64;
/** One AS_PATH segment holds at most 255 AS numbers (RFC 4271 section 4.3), our own included. */
const MAX_PREPEND = 254;
/** Problems that are spelled out; further ones are counted. */
const MAX_PROBLEMS = 20;

/** The wanted routes, decoded once for all peers. */
export class RouteTable {
  readonly #entries = new Map<IpAddress, RouteEntry>();
  readonly #counts = { ipv4: 0, ipv6: 0 };
  /** Routes that cannot be announced to anybody, and why. */
  readonly #refused = new Map<IpAddress, string>();

  get problems(): readonly string[] {
    const problems: string[] = [];
    for (const [address, why] of this.#refused) {
      if (problems.length === MAX_PROBLEMS) return [...problems, `and ${this.#refused.size - MAX_PROBLEMS} more`];
      problems.push(`${address} is not announced: ${why}`);
    }
    return problems;
  }

  /** Some route of this family is wanted. */
  has(family: Family): boolean {
    return this.#counts[family] > 0;
  }

  get(address: IpAddress): RouteEntry | undefined {
    return this.#entries.get(address);
  }

  values(): IterableIterator<RouteEntry> {
    return this.#entries.values();
  }

  /**
   * Applies a change. A route with an attribute that cannot be encoded is left out rather than announced without it:
   * a lost no-export is worse than a missing route.
   * @returns the addresses whose wanted state is not what it was
   */
  apply(delta: RouteDelta): IpAddress[] {
    const changed: IpAddress[] = [];
    for (const address of delta.removed) {
      this.#refused.delete(address);
      if (this.#remove(address)) changed.push(address);
    }
    for (const group of delta.set) {
      const meaning = meaningOf(group.attributes);
      for (const address of group.addresses) {
        const touched = typeof meaning === 'string' ? this.#refuse(address, meaning) : this.#set(address, meaning);
        if (touched) changed.push(address);
      }
    }
    return changed;
  }

  #refuse(address: IpAddress, why: string): boolean {
    this.#refused.set(address, why);
    return this.#remove(address);
  }

  #remove(address: IpAddress): boolean {
    const old = this.#entries.get(address);
    if (old === undefined) return false;
    this.#counts[old.family]--;
    return this.#entries.delete(address);
  }

  #set(address: IpAddress, { attributes, peers }: RouteMeaning): boolean {
    this.#refused.delete(address);
    const old = this.#entries.get(address);
    if (old === undefined) {
      const family = familyOf(address);
      this.#counts[family]++;
      this.#entries.set(address, { address, family, nlri: encodeHostPrefix(address), attributes, peers });
      return true;
    }
    if (old.attributes.key === attributes.key && sameSet(old.peers, peers)) return false;
    this.#entries.set(address, { ...old, attributes, peers });
    return true;
  }
}

function sameSet(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): boolean {
  if (a === null || b === null) return a === b;
  return a.size === b.size && [...a].every((each) => b.has(each));
}

/** Why there is none is the other answer. */
function meaningOf(route: RouteAttributes): RouteMeaning | string {
  const attributes = decodeAttributes(route);
  if (typeof attributes === 'string') return attributes;
  return { attributes, peers: route.peers === null ? null : new Set(route.peers) };
}

function decodeAttributes(route: RouteAttributes): AttributeSet | string {
  const { med, prepend, localPref } = route;
  if (!isOptionalU32(med)) return `MED ${med}`;
  if (!isOptionalU32(localPref)) return `LOCAL_PREF ${localPref}`;
  if (!Number.isInteger(prepend) || prepend < 0 || prepend > MAX_PREPEND) return `prepend ${prepend}`;
  const communities = parseAll(route.communities, parseCommunity);
  if (typeof communities === 'string') return communities;
  const large = parseAll(route.largeCommunities, parseLargeCommunity);
  if (typeof large === 'string') return large;
  if (communities.length > MAX_COMMUNITIES || large.length > MAX_LARGE_COMMUNITIES) return 'too many communities';
  const sorted = [...new Set(communities)].sort((a, b) => a - b);
  const sortedLarge = sortLarge(large);
  const key = JSON.stringify([sorted, sortedLarge, med, prepend, localPref]);
  return { key, communities: sorted, largeCommunities: sortedLarge, med, prepend, localPref };
}

function isOptionalU32(value: number | null): boolean {
  return value === null || (Number.isInteger(value) && value >= 0 && value <= 0xffffffff);
}

function parseAll<T>(texts: readonly string[], parse: (text: string) => T | undefined): T[] | string {
  const values: T[] = [];
  for (const text of texts) {
    const value = parse(text);
    if (value === undefined) return `community "${text.slice(0, 80)}"`;
    values.push(value);
  }
  return values;
}

/** RFC 8092 section 3: duplicates must not be sent; the order says nothing, so ours is always the same. */
function sortLarge(values: readonly LargeCommunity[]): LargeCommunity[] {
  const unique = new Map(values.map((value) => [value.join(':'), value]));
  return [...unique.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
}
