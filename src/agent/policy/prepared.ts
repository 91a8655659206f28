import { formatEndpoint } from '../../model/address.ts';
import type { Desired, DesiredReal, DesiredService } from './desired-state.ts';
import type { ExpandedService } from './expansion.ts';
import { expand, expandedAgain } from './expansion.ts';
import { targetOf } from './losses.ts';
import { probePortOf } from './probe-port.ts';
import type { RealCheck } from './real-checks.ts';
import { RealChecks } from './real-checks.ts';

/** Everything about an accepted set that no verdict, drain or clock changes: made once, used in every pass. */
export interface Prepared {
  readonly desired: Desired;
  readonly services: readonly PreparedService[];
}

export interface PreparedService extends ExpandedService {
  readonly reals: readonly PreparedReal[];
}

export interface PreparedReal {
  readonly real: DesiredReal;
  readonly checks: readonly RealCheck[];
  /** Under which its health is remembered: what is probed, not how it is called. */
  readonly memoryKey: string;
  /** As people write it; without a port where the real keeps the port of each packet. */
  readonly target: string;
}

/** @param before what was prepared last: services that an edit did not touch are taken over, the very same objects */
export function prepare(desired: Desired, before: Prepared | null = null): Prepared {
  const checks = new RealChecks(desired);
  const last = before?.desired.checks === desired.checks ? before : null;
  const again = last === null ? null : expandedAgain(desired, last);
  if (last !== null && again !== null) {
    return {
      desired,
      services: again.map((expanded, index) => prepareService(expanded, last.services[index], checks)),
    };
  }
  const known = new Map(last?.services.map(byName));
  const services = [...expand(desired, known).services.values()].map((expanded) => {
    return prepareService(expanded, known.get(expanded.service.name), checks);
  });
  return { desired, services };
}

function prepareService(
  expanded: ExpandedService,
  before: PreparedService | undefined,
  checks: RealChecks,
): PreparedService {
  if (before === expanded) return before;
  const { service } = expanded;
  const likely = before !== undefined && isProbedAlike(before.service, service) ? before.reals : [];
  const reals = Object.values(service.reals).map((real, index) => {
    const known = likely[index];
    if (known?.real === real) return known;
    return known !== undefined && isSameTarget(known.real, real)
      ? preparedAgain(known, real)
      : prepareReal(real, service, checks);
  });
  return { service, kernel: expanded.kernel, mixesFamilies: expanded.mixesFamilies, reals };
}

/** Whether both are checked in the same way, so that nobody needs to be told. */
export function hasSameChecks(a: Prepared, b: Prepared): boolean {
  if (a.services.length !== b.services.length) return false;
  return a.services.every((service, index) => {
    const other = b.services[index];
    return service === other || (other !== undefined && hasSameRealChecks(service, other));
  });
}

function hasSameRealChecks(a: PreparedService, b: PreparedService): boolean {
  if (a.service.state !== b.service.state || a.reals.length !== b.reals.length) return false;
  return a.reals.every(({ real, checks }, index) => {
    const other = b.reals[index];
    if (other?.real.state !== real.state || other.checks.length !== checks.length) return false;
    return other.checks === checks || checks.every(({ wanted }, at) => wanted.key === other.checks[at]?.wanted.key);
  });
}

function byName(service: PreparedService): [string, PreparedService] {
  return [service.service.name, service];
}

/** Whether the same real is probed in the same way in both. */
function isProbedAlike(a: DesiredService, b: DesiredService): boolean {
  return a.match === b.match && a.health.rise === b.health.rise && a.health.fall === b.health.fall;
}

/** Whether the same is probed for both, in services that are probed alike: all but what they share out is the same. */
function isSameTarget(a: DesiredReal, b: DesiredReal): boolean {
  return a.address === b.address && a.port === b.port && a.checks === b.checks;
}

/** Written out: V8 gives every copy of a copy a hidden class of its own, and compiled code knows only a few. */
function preparedAgain({ checks, memoryKey, target }: PreparedReal, real: DesiredReal): PreparedReal {
  return { real, checks, memoryKey, target };
}

function prepareReal(real: DesiredReal, service: DesiredService, checks: RealChecks): PreparedReal {
  const port = probePortOf(real, service);
  const target = port === null ? real.address : formatEndpoint(real.address, port);
  return { real, checks: checks.of(service, real), memoryKey: targetOf(real), target };
}
