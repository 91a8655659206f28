import { destinationKeyOf, serviceKeyOf } from '../dataplane.ts';
import type { DestinationKey, KernelDestination, KernelService, ServiceKey, ServiceMatch } from '../dataplane.ts';
import { BASE_CHAINS, DISPATCH, dispatchElement, realRules, serviceRules } from './layout.ts';
import type { ListedChain, Listing } from './listing.ts';
import { parseRealName, parseServiceName, realName, serviceName } from './names.ts';
import type { Endpoint } from './names.ts';

/** A service as our table has it. */
export interface ListedService {
  readonly service: KernelService;
  readonly connections: bigint;
  readonly destinations: ReadonlyMap<DestinationKey, KernelDestination>;
  /** New connections that each real was given. */
  readonly connectionsOf: ReadonlyMap<DestinationKey, bigint>;
}

/** The scheduler of a service whose rules do something else than its comments say: somebody changed them. */
export const ALTERED = 'altered';

/**
 * What is in force, by the rules themselves. A comment only counts if the rules are those that we would write for it:
 * a service that no packet reaches is not there, nor is a real whose chain sends its connections elsewhere; a service
 * that shares them out in another way has the scheduler "altered".
 */
export function decodeListing(listing: Listing): Map<ServiceKey, ListedService> {
  const services = new Map<ServiceKey, ListedService>();
  const dispatched = dispatchedIn(listing);
  const reals = realsByService(listing);
  for (const [name, chain] of listing.chains) {
    const match = parseServiceName(name);
    if (match === null) continue;
    const { key, element } = dispatchElement(match);
    if (dispatched.get(key)?.has(element) !== true) continue;
    services.set(serviceKeyOf(match), decodeService(match, chain, reals.get(name) ?? [], listing));
  }
  return services;
}

interface ListedReal {
  readonly real: Endpoint;
  readonly chain: ListedChain;
}

function realsByService({ chains }: Listing): Map<string, ListedReal[]> {
  const found = new Map<string, ListedReal[]>();
  for (const [name, chain] of chains) {
    const parsed = parseRealName(name);
    if (parsed === null) continue;
    const service = serviceName(parsed.match);
    const known = found.get(service);
    if (known === undefined) found.set(service, [{ real: parsed.real, chain }]);
    else known.push({ real: parsed.real, chain });
  }
  return found;
}

/** Elements of each map of the dispatch chain; none if packets do not come there as they should. */
function dispatchedIn({ chains }: Listing): Map<string, ReadonlySet<string>> {
  const maps = new Map<string, ReadonlySet<string>>();
  for (const [name, wanted] of BASE_CHAINS) {
    const base = chains.get(name);
    if (base === undefined || base.hook !== wanted.hook || !sameRules(base.rules, wanted.rules)) return maps;
  }
  for (const rule of chains.get(DISPATCH)?.rules ?? []) {
    const [, key, elements] = /^(.*) vmap \{ (.*) \}$/.exec(rule) ?? [];
    // A rule of somebody else's before the others may take any packet away from them.
    if (key === undefined || elements === undefined || maps.has(key)) return new Map();
    maps.set(key, new Set(elements.split(', ')));
  }
  return maps;
}

function decodeService(
  match: ServiceMatch,
  chain: ListedChain,
  listed: readonly ListedReal[],
  { counters }: Listing,
): ListedService {
  const service = declarationIn(chain.rules, match) ?? { ...PLAIN, match, scheduler: ALTERED };
  const declaredReals: KernelDestination[] = [];
  const destinations = new Map<DestinationKey, KernelDestination>();
  const connectionsOf = new Map<DestinationKey, bigint>();
  for (const { real, chain: realChain } of listed.toSorted(byKey)) {
    const weight = weightIn(realChain.rules);
    if (weight === null) continue;
    const destination: KernelDestination = { ...real, weight, ...NAT };
    declaredReals.push(destination);
    if (!sameRules(realChain.rules, realRules(service, destination))) continue;
    const key = destinationKeyOf(real);
    destinations.set(key, destination);
    connectionsOf.set(key, counters.get(realName(match, real)) ?? 0n);
  }
  const asDeclared = sameRules(chain.rules, serviceRules(service, declaredReals));
  return {
    service: asDeclared ? service : { ...service, scheduler: ALTERED },
    connections: counters.get(serviceName(match)) ?? 0n,
    destinations,
    connectionsOf,
  };
}

const PLAIN = { schedulerFlags: 0, onePacket: false, persistence: null, persistenceEngine: null } as const;
const NAT = { forwarding: { method: 'nat' }, upperThreshold: 0, lowerThreshold: 0 } as const;

/** Wherever it stands by now: somebody may have put a rule before it. */
function declarationIn(rules: readonly string[], match: ServiceMatch): KernelService | null {
  const declared = firstMatch(rules, /comment "([a-z]+) flags ([0-7])(?: persistence (\d+)\/(\d+))?"$/);
  if (declared === null) return null;
  const [, scheduler = '', flags, timeout, prefix] = declared;
  const persistence = timeout === undefined ? null : { timeoutSeconds: Number(timeout), prefixLength: Number(prefix) };
  return { ...PLAIN, match, scheduler, schedulerFlags: Number(flags), persistence };
}

function weightIn(rules: readonly string[]): number | null {
  const weight = firstMatch(rules, /comment "weight (\d+)"$/)?.[1];
  return weight === undefined ? null : Number(weight);
}

function firstMatch(rules: readonly string[], pattern: RegExp): RegExpExecArray | null {
  for (const rule of rules) {
    const found = pattern.exec(rule);
    if (found !== null) return found;
  }
  return null;
}

function sameRules(actual: readonly string[], wanted: readonly string[]): boolean {
  return actual.length === wanted.length && actual.every((rule, index) => rule === wanted[index]);
}

function byKey(a: ListedReal, b: ListedReal): number {
  return destinationKeyOf(a.real) < destinationKeyOf(b.real) ? -1 : 1;
}
