import type { Route } from '../../bgp/port.ts';
import type { InterfaceAddress } from '../../ipvs/addresses.ts';
import type { DataplaneState, ServiceKey } from '../../ipvs/dataplane.ts';
import { familyOf } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import type { Desired, DesiredVip } from './desired-state.ts';
import type { Effective, EffectiveService, EffectiveVip } from './effective-state.ts';
import { addressKey } from './journal.ts';
import { sameItems } from './shared-structure.ts';

/** What is really in force: routes are announced only for what is. */
export interface Applied {
  readonly services: DataplaneState;
  readonly addresses: readonly InterfaceAddress[];
}

export interface AddressAdvertisement {
  readonly address: IpAddress;
  readonly advertised: boolean;
  readonly reason: string;
}

export interface VipAdvertisement {
  readonly name: string;
  /** At least one address is announced. */
  readonly advertised: boolean;
  readonly reason: string;
  readonly addresses: readonly AddressAdvertisement[];
}

export interface Advertisements {
  readonly routes: readonly Route[];
  /** By VIP name. */
  readonly vips: ReadonlyMap<string, VipAdvertisement>;
  /** For the next call: what it was about, and everything that each VIP's answer came from. */
  readonly of: Desired['vips'];
  readonly standing: ReadonlyMap<string, StandingVip>;
}

interface StandingVip {
  readonly vip: DesiredVip;
  readonly inputs: readonly unknown[];
  readonly advertisement: VipAdvertisement;
  readonly routes: readonly Route[];
}

/**
 * The host routes to announce, and for every VIP address why, or why not.
 * @param applied null = as if everything that is wanted were in force: what is not announced then has to go in any
 *   case, before the kernel changes; what is announced on top of it follows afterwards
 * @param last an earlier answer: what of it stands is not thought through again. It never changes the outcome
 */
export function routesFor(
  desired: Desired,
  effective: Effective,
  applied: Applied | null,
  last: Advertisements | null = null,
): Advertisements {
  const facts = new Facts(effective, applied);
  if (last?.of === desired.vips && last.standing.size === effective.vips.size) {
    return amended(last, desired, effective, facts);
  }
  const vips = new Map<string, VipAdvertisement>();
  const standing = new Map<string, StandingVip>();
  // A VIP that is held comes last, so that its address belongs to the one that took it over.
  for (const vip of Object.values(desired.vips)) {
    const state = effective.vips.get(vip.name);
    if (state === undefined) continue;
    const known = last?.standing.get(vip.name);
    const one =
      known?.vip === vip && stands(known, desired, effective, facts)
        ? known
        : { vip, inputs: inputsOf(state, desired, facts), ...advertise(vip, state, desired, effective, facts) };
    vips.set(vip.name, one.advertisement);
    standing.set(vip.name, one);
  }
  return { routes: routesOf(standing), vips, of: desired.vips, standing };
}

/** The earlier answer, with what is to be said otherwise: after an edit or a verdict that is about one VIP. */
function amended(last: Advertisements, desired: Desired, effective: Effective, facts: Facts): Advertisements {
  const others = [...last.standing.values()].filter((known) => !stands(known, desired, effective, facts));
  if (others.length === 0) return last;
  const vips = new Map(last.vips);
  const standing = new Map(last.standing);
  let hasSameRoutes = true;
  for (const { vip, routes: before } of others) {
    const state = effective.vips.get(vip.name);
    if (state === undefined) continue;
    const one = advertise(vip, state, desired, effective, facts);
    const same = sameItems(before.map(addressOf), one.routes.map(addressOf));
    hasSameRoutes &&= same;
    vips.set(vip.name, one.advertisement);
    standing.set(vip.name, {
      ...one,
      vip,
      inputs: inputsOf(state, desired, facts),
      routes: same ? before : one.routes,
    });
  }
  return { routes: hasSameRoutes ? last.routes : routesOf(standing), vips, of: last.of, standing };
}

function addressOf({ address }: Route): IpAddress {
  return address;
}

/** Of VIPs with one address the first announces it. */
function routesOf(standing: ReadonlyMap<string, StandingVip>): readonly Route[] {
  const routes = new Map<IpAddress, Route>();
  for (const { routes: own } of standing.values()) {
    for (const route of own) if (!routes.has(route.address)) routes.set(route.address, route);
  }
  return [...routes.values()];
}

/** All that the answer about a VIP depends on beside its own record. */
function inputsOf(state: EffectiveVip, desired: Desired, facts: Facts): readonly unknown[] {
  const inputs: unknown[] = [desired.agent.bgp, state];
  facts.about(state, (fact) => inputs.push(fact));
  return inputs;
}

/** The same compared in place: every VIP is asked twice in a pass, and most answers stand. */
function stands({ vip, inputs }: StandingVip, desired: Desired, effective: Effective, facts: Facts): boolean {
  const state = effective.vips.get(vip.name);
  if (state === undefined || inputs[0] !== desired.agent.bgp || inputs[1] !== state) return false;
  let told = 2;
  let others = 0;
  facts.about(state, (fact) => {
    if (fact !== inputs[told]) others++;
    told++;
  });
  return others === 0 && told === inputs.length;
}

function advertise(
  vip: DesiredVip,
  state: EffectiveVip,
  desired: Desired,
  effective: Effective,
  facts: Facts,
): Pick<StandingVip, 'advertisement' | 'routes'> {
  const forbidden = forbiddenReason(vip, state, desired);
  const addresses = vip.addresses.map((address): AddressAdvertisement => {
    const decision = forbidden === null ? decide(vip, state, address, effective, facts) : no(forbidden);
    return { address, ...decision };
  });
  const announced = addresses.filter(({ advertised }) => advertised);
  return {
    advertisement: summary(vip.name, addresses),
    routes: announced.map(({ address }) => routeOf(address, vip)),
  };
}

interface Decision {
  readonly advertised: boolean;
  readonly reason: string;
}

const yes = (reason: string): Decision => ({ advertised: true, reason });
const no = (reason: string): Decision => ({ advertised: false, reason });

function forbiddenReason(vip: DesiredVip, state: EffectiveVip, { agent }: Desired): string | null {
  if (agent.bgp === null) return 'this agent has no BGP';
  if (state.withdrawn !== null) return state.withdrawn;
  if (vip.advertise.when === 'never') return 'never announced, as its record says';
  const { peers } = vip.advertise;
  const known = agent.bgp.peers;
  if (peers !== null && !peers.some((peer) => Object.hasOwn(known, peer))) {
    return `none of its peers (${peers.join(', ')}) is a peer of this agent`;
  }
  return null;
}

function decide(
  vip: DesiredVip,
  state: EffectiveVip,
  address: IpAddress,
  effective: Effective,
  facts: Facts,
): Decision {
  if (state.interface !== null && !facts.hasAddress(state.interface, address)) {
    return no(`${address} is not on ${state.interface}`);
  }
  const { when } = vip.advertise;
  if (when === 'always') return yes('always announced, as its record says');
  const services = state.services.flatMap((name) => effective.services.get(name) ?? []);
  const judged = services.flatMap((service) => {
    const keys = facts.keysFor(service, address);
    return keys.length === 0 ? [] : [{ service, missing: whyNotServing(service, keys, facts) }];
  });
  if (judged.length === 0) return no('no service is on it');
  const serving = judged.find(({ missing }) => missing === null);
  const failing = judged.find(({ missing }) => missing !== null);
  if (when === 'all' && failing !== undefined) return no(`service ${failing.service.name}: ${failing.missing ?? ''}`);
  if (serving === undefined) return no(`service ${failing?.service.name ?? ''}: ${failing?.missing ?? ''}`);
  if (when === 'all') return yes('all of its services hold their quorum');
  return yes(`service ${serving.service.name} holds its quorum`);
}

function whyNotServing(service: EffectiveService, keys: readonly ServiceKey[], facts: Facts): string | null {
  if (service.state === 'drain') return service.stateReason;
  if (!service.serving) return `its quorum is lost (${service.quorum.cause})`;
  const idle = keys.find((key) => !facts.takesTraffic(key));
  return idle === undefined ? null : `${idle.replaceAll('|', ' ')} is not in force`;
}

function routeOf(address: IpAddress, { advertise }: DesiredVip): Route {
  const { communities, largeCommunities, med, prepend, localPref, peers } = advertise;
  return { address, communities, largeCommunities, med, prepend, localPref, peers };
}

function summary(name: string, addresses: readonly AddressAdvertisement[]): VipAdvertisement {
  const advertised = addresses.some((one) => one.advertised);
  const reasons = new Set(addresses.filter((one) => one.advertised === advertised).map(({ reason }) => reason));
  const rest = new Set(addresses.filter((one) => one.advertised !== advertised).map(({ reason }) => reason));
  const exceptions = rest.size === 0 ? '' : `; not all of it: ${[...rest].join('; ')}`;
  const reason = addresses.length === 0 ? 'another VIP has its addresses' : `${[...reasons].join('; ')}${exceptions}`;
  return { name, advertised, reason, addresses };
}

/** Answers from the kernel where it is known, else from what is wanted. */
class Facts {
  readonly #effective: Effective;
  readonly #applied: Applied | null;
  /** As address keys, made when the first is asked for. */
  #addresses: ReadonlySet<string> | null = null;

  constructor(effective: Effective, applied: Applied | null) {
    this.#effective = effective;
    this.#applied = applied;
  }

  /** Tells everything that the other answers about a VIP depend on. */
  about({ services }: EffectiveVip, tell: (fact: unknown) => void): void {
    tell(this.#applied?.addresses);
    for (const name of services) {
      const service = this.#effective.services.get(name);
      tell(service);
      if (service === undefined) continue;
      for (const key of service.kernelKeys) {
        tell(this.#effective.kernel.get(key));
        tell(this.#applied?.services.get(key)?.destinations);
      }
    }
  }

  hasAddress(interfaceName: string, address: IpAddress): boolean {
    if (this.#applied === null) return true;
    this.#addresses ??= new Set(this.#applied.addresses.map(addressKey));
    return this.#addresses.has(addressKey({ interface: interfaceName, address }));
  }

  /** The service's kernel services that packets to the address reach; those of a firewall mark by family. */
  keysFor(service: EffectiveService, address: IpAddress): ServiceKey[] {
    return service.kernelKeys.filter((key) => {
      const match = this.#effective.kernel.get(key)?.kernel.match;
      if (match === undefined) return false;
      return match.kind === 'address' ? match.address === address : match.family === familyOf(address);
    });
  }

  takesTraffic(key: ServiceKey): boolean {
    const { services } = this.#applied ?? { services: this.#effective.kernel };
    const destinations = services.get(key);
    for (const { destination } of destinations?.destinations.values() ?? []) if (destination.weight > 0) return true;
    return false;
  }
}
