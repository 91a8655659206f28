import type { IpAddress } from '../model/address.ts';
import type { Route } from './port.ts';

export type RouteAttributes = Omit<Route, 'address'>;

/** Routes that share their attributes: far cheaper to copy to another thread than one object for each. */
export interface RouteGroup {
  readonly attributes: RouteAttributes;
  readonly addresses: readonly IpAddress[];
}

/** What turns one set of routes into another. */
export interface RouteDelta {
  readonly removed: readonly IpAddress[];
  readonly set: readonly RouteGroup[];
}

type RouteMap = ReadonlyMap<IpAddress, Route>;

const NO_ROUTES: RouteMap = new Map();

/** The set of routes that was wanted last, to tell a new one by what is different. */
export class RouteMemory {
  #routes = NO_ROUTES;

  /** Remembers the new set and returns the way to it. Of two routes with one address the later counts. */
  change(routes: readonly Route[]): RouteDelta {
    const after = new Map<IpAddress, Route>();
    for (const route of routes) after.set(route.address, route);
    const delta = deltaOf(this.#routes, after);
    this.#routes = after;
    return delta;
  }

  /** The way from nothing to the set that is remembered. */
  whole(): RouteDelta {
    return deltaOf(NO_ROUTES, this.#routes);
  }
}

function deltaOf(before: RouteMap, after: RouteMap): RouteDelta {
  const groups = new Map<string, { attributes: RouteAttributes; addresses: IpAddress[] }>();
  // Neighbours in the set mostly share their attributes, so the last group is the first guess.
  let group: { attributes: RouteAttributes; addresses: IpAddress[] } | undefined;
  let kept = 0;
  for (const route of after.values()) {
    const old = before.get(route.address);
    if (old !== undefined) {
      kept++;
      if (sameAttributes(old, route)) continue;
    }
    if (group === undefined || !sameAttributes(group.attributes, route)) {
      const { address: _, ...attributes } = route;
      const key = JSON.stringify(attributes);
      group = groups.get(key) ?? { attributes, addresses: [] };
      groups.set(key, group);
    }
    group.addresses.push(route.address);
  }
  const removed: IpAddress[] = [];
  if (kept < before.size) for (const address of before.keys()) if (!after.has(address)) removed.push(address);
  return { removed, set: [...groups.values()] };
}

/** By value; the order of communities counts. */
function sameAttributes(a: RouteAttributes, b: RouteAttributes): boolean {
  if (a === b) return true;
  return (
    a.med === b.med &&
    a.prepend === b.prepend &&
    a.localPref === b.localPref &&
    sameTexts(a.communities, b.communities) &&
    sameTexts(a.largeCommunities, b.largeCommunities) &&
    (a.peers === b.peers || (a.peers !== null && b.peers !== null && sameTexts(a.peers, b.peers)))
  );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, index) => text === b[index]));
}
