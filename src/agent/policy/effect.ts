import type { DataplaneOp, DataplaneState, ServiceKey } from '../../ipvs/dataplane.ts';
import { destinationKeyOf, matchOf, serviceKeyOf } from '../../ipvs/dataplane.ts';
import type { Route } from '../../bgp/port.ts';
import type { IpAddress } from '../../model/address.ts';
import type { Desired } from './desired-state.ts';
import { named } from './desired-state.ts';
import type { Effective } from './effective-state.ts';
import type { Journal } from './journal.ts';
import { plan } from './plan.ts';
import { routesFor } from './routes.ts';

/** One configuration with what it comes to. */
export interface Footing {
  readonly desired: Desired;
  readonly effective: Effective;
  readonly journal: Journal;
  /** The kernel when all of it is carried out. */
  readonly kernel: DataplaneState;
}

export interface OpCounts {
  readonly added: number;
  readonly edited: number;
  readonly deleted: number;
}

/** What becomes of one service of the agent. */
export interface ServiceEffect {
  readonly service: string;
  /** `changed`: at least one operation in the kernel. */
  readonly kind: 'added' | 'deleted' | 'changed';
  /** Kernel services that it expands to (address × port × protocol), before and after. */
  readonly kernelServices: { readonly before: number; readonly after: number };
  readonly services: OpCounts;
  readonly destinations: OpCounts;
  /** Reals that leave the kernel, wholly or from some of its kernel services. */
  readonly leaving: readonly string[];
  /** Reals that are drained: they keep their connections for a while, and then they are out. */
  readonly drained: readonly string[];
}

export interface RouteEffect {
  readonly vip: string;
  readonly address: IpAddress;
  readonly kind: 'announced' | 'withdrawn' | 'announced anew';
  readonly why: string;
}

export interface AddressEffect {
  readonly interface: string;
  readonly address: IpAddress;
  readonly kind: 'added' | 'removed';
}

export interface PeerEffect {
  readonly peer: string;
  /** `changed`: the session is closed and opened again. */
  readonly kind: 'added' | 'removed' | 'changed';
}

/** What an agent does on its way from one configuration to another, at the end of all leave-takings. */
export interface Effect {
  readonly services: readonly ServiceEffect[];
  readonly routes: readonly RouteEffect[];
  readonly addresses: readonly AddressEffect[];
  readonly peers: readonly PeerEffect[];
}

export function isNoEffect({ services, routes, addresses, peers }: Effect): boolean {
  return services.length + routes.length + addresses.length + peers.length === 0;
}

/** @param now wall-clock milliseconds */
export function effectOf(before: Footing, after: Footing, now: number): Effect {
  const { ops } = plan({
    effective: after.effective,
    actual: before.kernel,
    activityAt: now,
    journal: before.journal,
    previous: before.effective,
    // Leaving takes no time here, so that what leaves is seen to go.
    drainTimeoutMs: 0,
    now,
  });
  return {
    services: serviceEffects(ops, before.effective, after.effective),
    routes: routeEffects(before, after),
    addresses: addressEffects(before.effective, after.effective),
    peers: peerEffects(before.desired, after.desired),
  };
}

interface Counter {
  added: number;
  edited: number;
  deleted: number;
}

interface Tally {
  readonly services: Counter;
  readonly destinations: Counter;
  readonly leaving: Set<string>;
  readonly drained: Set<string>;
}

function serviceEffects(ops: readonly DataplaneOp[], before: Effective, after: Effective): readonly ServiceEffect[] {
  const tallies = new Map<string, Tally>();
  for (const op of ops) {
    const key = serviceKeyOf(matchOf(op));
    const service = (after.kernel.get(key) ?? before.kernel.get(key))?.service ?? key;
    let tally = tallies.get(service);
    if (tally === undefined) tallies.set(service, (tally = newTally()));
    count(tally, op, key, before, after);
  }
  return [...tallies].map(([service, { services, destinations, leaving, drained }]) => {
    const kernelServices = { before: expansionOf(before, service), after: expansionOf(after, service) };
    const kind = kernelServices.before === 0 ? 'added' : kernelServices.after === 0 ? 'deleted' : 'changed';
    return { service, kind, kernelServices, services, destinations, leaving: [...leaving], drained: [...drained] };
  });
}

function newTally(): Tally {
  const none = (): Counter => ({ added: 0, edited: 0, deleted: 0 });
  return { services: none(), destinations: none(), leaving: new Set(), drained: new Set() };
}

function count(tally: Tally, op: DataplaneOp, key: ServiceKey, before: Effective, after: Effective): void {
  const there = before.kernel.get(key)?.destinations ?? new Map<string, never>();
  switch (op.kind) {
    case 'addService':
      tally.services.added++;
      return;
    case 'editService':
      tally.services.edited++;
      return;
    case 'deleteService':
      tally.services.deleted++;
      tally.destinations.deleted += there.size;
      for (const { real } of there.values()) note(tally.leaving, real);
      return;
    case 'addDestination':
      tally.destinations.added++;
      return;
    case 'editDestination':
      tally.destinations.edited++;
      return;
    case 'deleteDestination': {
      tally.destinations.deleted++;
      const wanted = before.kernel.get(key);
      const real = wanted?.destinations.get(destinationKeyOf(op))?.real ?? null;
      note(isDrained(after, wanted?.service, real) ? tally.drained : tally.leaving, real);
      return;
    }
  }
}

function isDrained({ services }: Effective, service: string | undefined, real: string | null): boolean {
  if (service === undefined || real === null) return false;
  return services.get(service)?.reals.get(real)?.state === 'drain';
}

/** The sorry server has no name, and its visitors no connections worth counting. */
function note(reals: Set<string>, real: string | null): void {
  if (real !== null) reals.add(real);
}

function expansionOf({ services }: Effective, name: string): number {
  const service = services.get(name);
  return service === undefined || service.state === 'disabled' ? 0 : service.kernelKeys.length;
}

function routeEffects(before: Footing, after: Footing): readonly RouteEffect[] {
  const was = routesFor(before.desired, before.effective, null);
  const is = routesFor(after.desired, after.effective, null);
  const old = new Map(was.routes.map((route) => [route.address, route]));
  const fresh = new Map(is.routes.map((route) => [route.address, route]));
  const effects: RouteEffect[] = [];
  for (const route of fresh.values()) {
    const known = old.get(route.address);
    if (known !== undefined && sameRoute(known, route)) continue;
    const kind = known === undefined ? 'announced' : 'announced anew';
    effects.push({ address: route.address, kind, ...explained(is.vips, route.address) });
  }
  for (const address of old.keys()) {
    if (fresh.has(address)) continue;
    const { vip } = explained(was.vips, address);
    const why = explained(is.vips, address).why;
    effects.push({ address, kind: 'withdrawn', vip, why: why === '' ? 'no service of this agent needs it' : why });
  }
  return effects;
}

function sameRoute(a: Route, b: Route): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

type Advertisements = ReturnType<typeof routesFor>['vips'];

function explained(vips: Advertisements, address: IpAddress): { readonly vip: string; readonly why: string } {
  for (const { name, addresses } of vips.values()) {
    const found = addresses.find((one) => one.address === address);
    if (found !== undefined) return { vip: name, why: found.reason };
  }
  return { vip: '', why: '' };
}

function addressEffects(before: Effective, after: Effective): readonly AddressEffect[] {
  const [was, is] = [interfaceAddresses(before), interfaceAddresses(after)];
  const added = [...is].filter(([key]) => !was.has(key)).map(([, one]) => ({ ...one, kind: 'added' as const }));
  const removed = [...was].filter(([key]) => !is.has(key)).map(([, one]) => ({ ...one, kind: 'removed' as const }));
  return [...added, ...removed];
}

function interfaceAddresses({ vips }: Effective): Map<string, Omit<AddressEffect, 'kind'>> {
  const found = new Map<string, Omit<AddressEffect, 'kind'>>();
  for (const { interface: carrier, addresses } of vips.values()) {
    if (carrier === null) continue;
    for (const address of addresses) found.set(`${carrier}|${address}`, { interface: carrier, address });
  }
  return found;
}

function peerEffects(before: Desired, after: Desired): readonly PeerEffect[] {
  const was = before.agent.bgp?.peers ?? {};
  const is = after.agent.bgp?.peers ?? {};
  const speaker = (desired: Desired): string => {
    const { asn, routerId, gracefulRestartMs, connectRetryMs } = desired.agent.bgp ?? {};
    return JSON.stringify([asn, routerId, gracefulRestartMs, connectRetryMs]);
  };
  const sameSpeaker = speaker(before) === speaker(after);
  const effects: PeerEffect[] = [];
  for (const [peer, settings] of Object.entries(is)) {
    const known = named(was, peer);
    if (known === undefined) effects.push({ peer, kind: 'added' });
    else if (!sameSpeaker || JSON.stringify(known) !== JSON.stringify(settings))
      effects.push({ peer, kind: 'changed' });
  }
  for (const peer of Object.keys(was)) if (named(is, peer) === undefined) effects.push({ peer, kind: 'removed' });
  return effects;
}
