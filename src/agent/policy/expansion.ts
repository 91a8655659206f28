import type { DestinationKey, Forwarding, KernelService, ServiceKey, ServiceMatch } from '../../ipvs/dataplane.ts';
import { destinationKeyOf, serviceKeyOf } from '../../ipvs/dataplane.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import { familyOf } from '../../model/address.ts';
import type { Desired, DesiredAgent, DesiredReal, DesiredService } from './desired-state.ts';
import { named } from './desired-state.ts';
import { countPorts, eachPort } from './port-ranges.ts';

/** How many kernel services one service may become. */
export const MAX_KERNEL_SERVICES = 4_096;

/** What the accepted set is in the words of the kernel, before any health: made once for each accepted set. */
export interface Expansion {
  readonly services: ReadonlyMap<string, ExpandedService>;
}

export interface ExpandedService {
  readonly service: DesiredService;
  /** See `mixesFamilies`: what it is expanded by. */
  readonly mixesFamilies: boolean;
  readonly kernel: readonly ExpandedKernelService[];
}

export interface ExpandedKernelService {
  readonly key: ServiceKey;
  readonly kernel: KernelService;
  /** By real, in the order of their names; of two with one key the first. */
  readonly destinations: readonly ExpandedDestination[];
  readonly sorry: ExpandedDestination | null;
}

export interface ExpandedDestination {
  /** null = the sorry server. */
  readonly real: string | null;
  readonly key: DestinationKey;
  readonly address: IpAddress;
  readonly port: number;
  readonly forwarding: Forwarding;
}

/**
 * Expands every service that is not disabled. Of services with one kernel key the first keeps it: those that are not
 * held before those that are, then by creation, then by name.
 * @param known an earlier expansion, by service: what still holds of it is taken over, the very same object
 */
export function expand(accepted: Desired, known: ReadonlyMap<string, ExpandedService> = new Map()): Expansion {
  const services = new Map<string, ExpandedService>();
  const claimed = new Set<ServiceKey>();
  const mixes = mixesFamilies(accepted.agent);
  for (const service of Object.values(accepted.services).sort(byPrecedence)) {
    const matches: Matched[] = [];
    for (const match of matchesOf(service, named(accepted.vips, service.vip)?.addresses ?? [])) {
      const key = serviceKeyOf(match);
      if (claimed.has(key)) continue;
      claimed.add(key);
      matches.push({ match, key });
    }
    const before = known.get(service.name);
    const same = before?.service === service && before.mixesFamilies === mixes && hasKeys(before, matches);
    services.set(service.name, same ? before : expandService(service, matches, mixes, before));
  }
  return { services };
}

/**
 * The same after an edit that leaves every service the kernel services that it had, by its precedence and by its match:
 * only what was edited is expanded, and nobody's claims are looked through.
 * @param before an earlier expansion, in its order
 * @returns in the order of the earlier one; null = it is not so simple
 */
export function expandedAgain(
  accepted: Desired,
  before: { readonly desired: Desired; readonly services: readonly ExpandedService[] },
): readonly ExpandedService[] | null {
  const { desired, services } = before;
  if (desired.vips !== accepted.vips || desired.agent !== accepted.agent) return null;
  if (Object.keys(accepted.services).length !== services.length) return null;
  const again: ExpandedService[] = [];
  for (const known of services) {
    const service = named(accepted.services, known.service.name);
    if (service === undefined || !claimsTheSame(known.service, service)) return null;
    again.push(
      service === known.service ? known : expandService(service, matchedBy(known), known.mixesFamilies, known),
    );
  }
  return again;
}

/** Of two services of one name. */
function claimsTheSame(a: DesiredService, b: DesiredService): boolean {
  if (a === b) return true;
  return a.match === b.match && a.vip === b.vip && a.state === b.state && a.held === b.held && a.created === b.created;
}

function matchedBy({ kernel }: ExpandedService): Matched[] {
  return kernel.map(({ key, kernel: { match } }) => ({ match, key }));
}

interface Matched {
  readonly match: ServiceMatch;
  readonly key: ServiceKey;
}

function hasKeys({ kernel }: ExpandedService, matches: readonly Matched[]): boolean {
  return kernel.length === matches.length && kernel.every(({ key }, index) => key === matches[index]?.key);
}

function expandService(
  service: DesiredService,
  matches: readonly Matched[],
  mixes: boolean,
  before: ExpandedService | undefined,
): ExpandedService {
  const reals = realsInOrder(service);
  const kernel = matches.map(({ match, key }, index) => {
    const known = before?.kernel[index];
    return expandMatch(service, reals, match, key, mixes, known?.key === key ? known.destinations : []);
  });
  return { service, mixesFamilies: mixes, kernel };
}

/** The order in which services get what only one can have. */
export function byPrecedence(a: DesiredService, b: DesiredService): number {
  if (a.held !== b.held) return a.held ? 1 : -1;
  return byCreation(a, b);
}

interface Created {
  readonly name: string;
  /** Decimal. */
  readonly created: string;
}

export function byCreation(a: Created, b: Created): number {
  if (a.created !== b.created) {
    if (a.created.length !== b.created.length) return a.created.length - b.created.length;
    return a.created < b.created ? -1 : 1;
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Kernel services that a service stands for; a disabled one stands for none. */
export function* matchesOf(service: DesiredService, addresses: readonly IpAddress[]): Generator<ServiceMatch> {
  if (service.state === 'disabled') return;
  const { match } = service;
  if (match.kind === 'fwmark') {
    for (const family of match.families) yield { kind: 'fwmark', family, fwmark: match.fwmark };
    return;
  }
  for (const address of addresses) {
    const family = familyOf(address);
    for (const protocol of match.protocols) {
      for (const port of eachPort(match.ports)) yield { kind: 'address', family, protocol, address, port };
    }
  }
}

export function countMatches(service: DesiredService, addresses: readonly IpAddress[]): number {
  const { match } = service;
  if (match.kind === 'fwmark') return match.families.length;
  return addresses.length * match.protocols.length * countPorts(match.ports);
}

/** Families of the packets that the service takes, each once. */
export function familiesOf(service: DesiredService, addresses: readonly IpAddress[]): readonly Family[] {
  return service.match.kind === 'fwmark' ? service.match.families : [...new Set(addresses.map(familyOf))];
}

/** Whether packets of the family can reach the address: another family only through a tunnel, if that is allowed. */
export function reaches(forwarding: Forwarding, address: IpAddress, family: Family, mixes: boolean): boolean {
  return familyOf(address) === family || (mixes && forwarding.method === 'tunnel');
}

/**
 * Whether a service may have reals of the other family: the kernel's protocol that synchronises connections cannot
 * tell of them, so while a sync daemon runs it refuses such reals, and while there is one it refuses the daemon
 * (EINVAL in ip_vs_genl_set_cmd() and ip_vs_genl_new_daemon()).
 */
export function mixesFamilies({ kernel }: Pick<DesiredAgent, 'kernel'>): boolean {
  return !kernel.some(({ kind }) => kind === 'sync');
}

function expandMatch(
  service: DesiredService,
  reals: readonly DesiredReal[],
  match: ServiceMatch,
  key: ServiceKey,
  mixes: boolean,
  likely: readonly ExpandedDestination[],
): ExpandedKernelService {
  const destinations: ExpandedDestination[] = [];
  const taken = new Set<DestinationKey>();
  for (const real of reals) {
    if (!reaches(real.forwarding, real.address, match.family, mixes)) continue;
    const destination = destinationOf(real.name, real, match, likely[destinations.length]);
    if (taken.has(destination.key)) continue;
    taken.add(destination.key);
    destinations.push(destination);
  }
  const { sorry } = service;
  const sorryHere = sorry !== null && reaches(sorry.forwarding, sorry.address, match.family, mixes);
  return {
    key,
    kernel: kernelServiceOf(service, match),
    destinations,
    sorry: sorryHere ? destinationOf(null, sorry, match) : null,
  };
}

function realsInOrder(service: DesiredService): DesiredReal[] {
  return Object.values(service.reals).sort((a, b) => (a.held === b.held ? byCreation(a, b) : a.held ? 1 : -1));
}

interface Reachable {
  readonly address: IpAddress;
  readonly port: number | null;
  readonly forwarding: Forwarding;
}

/** Only NAT changes the port of a packet, and never that of a service on every port. */
function destinationOf(
  real: string | null,
  to: Reachable,
  match: ServiceMatch,
  likely?: ExpandedDestination,
): ExpandedDestination {
  const own = match.kind === 'address' ? match.port : 0;
  const everyPort = match.kind === 'address' && match.port === 0;
  const port = to.forwarding.method === 'nat' && !everyPort ? (to.port ?? own) : own;
  const { address, forwarding } = to;
  const isSame = likely?.real === real && likely.address === address && likely.port === port;
  if (isSame && likely.forwarding === forwarding) return likely;
  return { real, key: destinationKeyOf({ address, port }), address, port, forwarding };
}

function kernelServiceOf(service: DesiredService, match: ServiceMatch): KernelService {
  const { scheduler, schedulerFlags, onePacket, persistence } = service;
  return {
    match,
    scheduler,
    schedulerFlags,
    onePacket,
    persistence:
      persistence === null
        ? null
        : {
            timeoutSeconds: persistence.timeoutSeconds,
            prefixLength: match.family === 'ipv4' ? persistence.mask : persistence.prefixLength,
          },
    persistenceEngine: persistence?.engine ?? null,
  };
}
