import { joinedKey } from '../../core/joined-key.ts';
import { serviceKeyOf } from '../../ipvs/dataplane.ts';
import type { ServiceKey } from '../../ipvs/dataplane.ts';
import type { CheckDefinition } from '../../model/check-definition.ts';
import type { Desired, DesiredReal, DesiredService, DesiredVip, Drain } from './desired-state.ts';
import { mapNamed, named } from './desired-state.ts';
import { matchesOf } from './expansion.ts';

/** A service or a real that is in force and that a new configuration no longer has. */
export interface Loss {
  readonly kind: 'service' | 'real';
  readonly service: string;
  /** Name of the real; null for a service. */
  readonly real: string | null;
  /** Address and port of the real, by which it is known again under another name; null for a service. */
  readonly target: string | null;
  /** Of a lost real: the service in which it would have to be; null if its service is lost too. */
  readonly successor: string | null;
}

/**
 * What is in `accepted` and not in `candidate`. A rename is no loss: a service goes on in those that have its kernel
 * services now, a real in the one that has its target. The reals of a lost service are lost as well.
 */
export function losses(accepted: Desired, candidate: Desired): Loss[] {
  const lost: Loss[] = [];
  let owners: ReadonlyMap<ServiceKey, DesiredService> | null = null;
  for (const service of Object.values(accepted.services)) {
    const same = named(candidate.services, service.name);
    if (same === service) continue;
    if (same === undefined) owners ??= ownersOf(candidate);
    const successors = same !== undefined ? [same] : successorsOf(service, accepted, owners ?? new Map());
    if (successors.length === 0) {
      lost.push({ kind: 'service', service: service.name, real: null, target: null, successor: null });
    }
    lost.push(...lostReals(service, successors));
  }
  return lost;
}

function lostReals(service: DesiredService, successors: readonly DesiredService[]): Loss[] {
  const lost: Loss[] = [];
  const targets = new Map<string, ReadonlySet<string>>();
  const hasTarget = (successor: DesiredService, target: string): boolean => {
    let known = targets.get(successor.name);
    if (known === undefined) {
      known = new Set(Object.values(successor.reals).map(targetOf));
      targets.set(successor.name, known);
    }
    return known.has(target);
  };
  for (const real of Object.values(service.reals)) {
    const missesIt = ({ reals }: DesiredService): boolean => !Object.hasOwn(reals, real.name);
    const target = targetOf(real);
    const without = successors.find((successor) => missesIt(successor) && !hasTarget(successor, target));
    if (successors.length > 0 && without === undefined) continue;
    lost.push({ kind: 'real', service: service.name, real: real.name, target, successor: without?.name ?? null });
  }
  return lost;
}

/** "web" for a service, "web/a" for a real. */
export function idOf({ service, real }: Pick<Loss, 'service' | 'real'>): string {
  return real === null ? service : `${service}/${real}`;
}

/** "10.0.0.1|80", or "10.0.0.1|" for a real on the port of its service. */
export function targetOf(real: Pick<DesiredReal, 'address' | 'port'>): string {
  return joinedKey(real.address, real.port ?? '');
}

/** The services that share out the kernel services of one whose name is gone; none unless all are taken over. */
function successorsOf(
  service: DesiredService,
  accepted: Desired,
  owners: ReadonlyMap<ServiceKey, DesiredService>,
): DesiredService[] {
  const successors = new Set<DesiredService>();
  for (const key of keysOf(service, accepted)) {
    const owner = owners.get(key);
    if (owner === undefined) return [];
    successors.add(owner);
  }
  return [...successors];
}

function ownersOf(desired: Desired): Map<ServiceKey, DesiredService> {
  const owners = new Map<ServiceKey, DesiredService>();
  for (const service of Object.values(desired.services)) {
    for (const key of keysOf(service, desired)) owners.set(key, service);
  }
  return owners;
}

/** Also those of a disabled service: what it would be. */
function* keysOf(service: DesiredService, desired: Desired): Generator<ServiceKey> {
  const addresses = named(desired.vips, service.vip)?.addresses ?? [];
  for (const match of matchesOf({ ...service, state: 'enabled' }, addresses)) yield serviceKeyOf(match);
}

/**
 * The candidate with what it would lose, as it was. What the candidate says about a VIP or a check goes before what
 * was accepted, and a drain of something retained is retained with it.
 */
export function retain(accepted: Desired, candidate: Desired, lost: readonly Loss[]): Desired {
  if (lost.length === 0) return candidate;
  const services = new Map(Object.entries(candidate.services));
  for (const loss of lost) {
    const before = named(accepted.services, loss.service);
    if (before === undefined) continue;
    if (loss.kind === 'service') {
      services.set(before.name, { ...before, held: true, reals: mapNamed(before.reals, holdReal) });
      continue;
    }
    const service = loss.successor === null ? undefined : services.get(loss.successor);
    const real = loss.real === null ? undefined : named(before.reals, loss.real);
    if (service === undefined || real === undefined) continue;
    services.set(service.name, { ...service, reals: { ...service.reals, [real.name]: holdReal(real) } });
  }
  const inForce = Object.fromEntries(services);
  return {
    ...candidate,
    services: inForce,
    vips: retainedVips(accepted, candidate, services.values()),
    checks: retainedChecks(accepted, candidate, services.values()),
    drains: { ...retainedDrains(accepted, lost), ...candidate.drains },
  };
}

function holdReal(real: DesiredReal): DesiredReal {
  return { ...real, held: true };
}

function retainedVips(accepted: Desired, candidate: Desired, services: Iterable<DesiredService>): Desired['vips'] {
  const vips = new Map<string, DesiredVip>(Object.entries(candidate.vips));
  const taken = new Set(Object.values(candidate.vips).flatMap(({ addresses }) => addresses));
  for (const { vip: name } of services) {
    const before = vips.has(name) ? undefined : named(accepted.vips, name);
    if (before === undefined) continue;
    vips.set(name, { ...before, addresses: before.addresses.filter((address) => !taken.has(address)) });
  }
  return Object.fromEntries(vips);
}

function retainedChecks(accepted: Desired, candidate: Desired, services: Iterable<DesiredService>): Desired['checks'] {
  const checks = new Map<string, CheckDefinition>(Object.entries(candidate.checks));
  const add = (names: readonly string[]): void => {
    for (const name of names) {
      const before = checks.has(name) ? undefined : named(accepted.checks, name);
      if (before !== undefined) checks.set(name, before);
    }
  };
  for (const service of services) {
    add(service.checks);
    for (const { checks: own } of Object.values(service.reals)) add(own);
  }
  return Object.fromEntries(checks);
}

function retainedDrains(accepted: Desired, lost: readonly Loss[]): Desired['drains'] {
  const reals = new Set(lost.map(({ service, real }) => `${service}/${real ?? ''}`));
  const concerned = ({ target }: Drain): boolean => {
    if (target.kind === 'real') return reals.has(`${target.service}/${target.real}`);
    return target.kind === 'service' && reals.has(`${target.service}/`);
  };
  return Object.fromEntries(Object.entries(accepted.drains).filter(([, drain]) => concerned(drain)));
}
