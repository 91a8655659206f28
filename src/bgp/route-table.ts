import { familyOf, type Family, type IpAddress } from '../model/address.ts';
import { type LargeCommunity, parseCommunity, parseLargeCommunity } from './community.ts';
import type { Route } from './port.ts';
import { encodeHostPrefix } from './prefix.ts';

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

export interface RouteEntry {
  readonly address: IpAddress;
  readonly family: Family;
  readonly nlri: Uint8Array;
  readonly attributes: AttributeSet;
  /** The only peers that hear of it; null = all. */
  readonly peers: ReadonlySet<string> | null;
  /** What it was made from: the same object again needs no second look. */
  readonly source: Route;
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
  #entries = new Map<IpAddress, RouteEntry>();
  #families: ReadonlySet<Family> = new Set();
  #problems: readonly string[] = [];

  get size(): number {
    return this.#entries.size;
  }

  /** Why some routes are in no table and so are announced to nobody. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Some route of this family is wanted. */
  has(family: Family): boolean {
    return this.#families.has(family);
  }

  get(address: IpAddress): RouteEntry | undefined {
    return this.#entries.get(address);
  }

  values(): IterableIterator<RouteEntry> {
    return this.#entries.values();
  }

  /**
   * Replaces the whole set. A route with an attribute that cannot be encoded is left out rather than announced without
   * it: a lost no-export is worse than a missing route.
   * @returns the addresses whose wanted state is not what it was
   */
  replace(routes: readonly Route[]): IpAddress[] {
    const entries = new Map<IpAddress, RouteEntry>();
    const problems: string[] = [];
    const changed: IpAddress[] = [];
    const families = new Set<Family>();
    const sets = new Map<string, AttributeSet | string>();
    for (const route of routes) {
      const old = this.#entries.get(route.address);
      const entry = old?.source === route ? old : entryFor(route, old, sets);
      if (typeof entry === 'string') {
        problems.push(`${route.address} is not announced: ${entry}`);
        continue;
      }
      entries.set(route.address, entry);
      families.add(entry.family);
      if (entry.attributes !== old?.attributes || entry.peers !== old.peers) changed.push(route.address);
    }
    for (const address of this.#entries.keys()) if (!entries.has(address)) changed.push(address);
    this.#entries = entries;
    this.#families = families;
    this.#problems = shorten(problems);
    return changed;
  }
}

/** The entry of a route, with as much of the old one as still holds; or why there can be none. */
function entryFor(
  route: Route,
  old: RouteEntry | undefined,
  sets: Map<string, AttributeSet | string>,
): RouteEntry | string {
  const key = attributeKey(route);
  const decoded = sets.get(key) ?? decodeAttributes(route);
  sets.set(key, decoded);
  if (typeof decoded === 'string') return decoded;
  const { address } = route;
  const peers = route.peers === null ? null : new Set(route.peers);
  if (old === undefined) {
    const nlri = encodeHostPrefix(address);
    return { address, family: familyOf(address), nlri, attributes: decoded, peers, source: route };
  }
  const attributes = old.attributes.key === decoded.key ? old.attributes : decoded;
  return { ...old, attributes, peers: sameSet(old.peers, peers) ? old.peers : peers, source: route };
}

function sameSet(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): boolean {
  if (a === null || b === null) return a === b;
  return a.size === b.size && [...a].every((each) => b.has(each));
}

/** Routes of one key need their attributes decoded only once. */
function attributeKey(route: Route): string {
  const { med, prepend, localPref, communities, largeCommunities } = route;
  return `${med ?? ''}|${prepend}|${localPref ?? ''}|${communities.join(' ')}|${largeCommunities.join(' ')}`;
}

function shorten(problems: readonly string[]): readonly string[] {
  if (problems.length <= MAX_PROBLEMS) return problems;
  return [...problems.slice(0, MAX_PROBLEMS), `and ${problems.length - MAX_PROBLEMS} more`];
}

function decodeAttributes(route: Route): AttributeSet | string {
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
