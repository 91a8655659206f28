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

export type RouteMap = ReadonlyMap<IpAddress, Route>;

export function mapRoutes(routes: readonly Route[]): RouteMap {
  return new Map(routes.map((route) => [route.address, route]));
}

export function deltaOf(before: RouteMap, after: RouteMap): RouteDelta {
  const groups = new Map<string, { attributes: RouteAttributes; addresses: IpAddress[] }>();
  for (const route of after.values()) {
    const old = before.get(route.address);
    if (old !== undefined && sameAttributes(old, route)) continue;
    const { address, ...attributes } = route;
    const key = JSON.stringify(attributes);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { attributes, addresses: [address] });
    else group.addresses.push(address);
  }
  const removed = [...before.keys()].filter((address) => !after.has(address));
  return { removed, set: [...groups.values()] };
}

/** Changes `routes` in place; routes that the delta does not touch stay the same objects. */
export function applyDelta(routes: Map<IpAddress, Route>, delta: RouteDelta): void {
  for (const address of delta.removed) routes.delete(address);
  for (const { attributes, addresses } of delta.set) {
    for (const address of addresses) routes.set(address, { address, ...attributes });
  }
}

function sameAttributes(a: Route, b: Route): boolean {
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
