import { formatEndpoint } from '../../model/address.ts';
import type { Desired, DesiredReal, DesiredService } from './desired-state.ts';
import type { ExpandedService } from './expansion.ts';
import { expand } from './expansion.ts';
import { targetOf } from './losses.ts';
import { probePortOf } from './probe-port.ts';
import type { RealCheck } from './wanted-checks.ts';
import { RealChecks } from './wanted-checks.ts';

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

export function prepare(desired: Desired): Prepared {
  const checks = new RealChecks(desired);
  const services = [...expand(desired).services.values()].map((expanded): PreparedService => {
    const reals = Object.values(expanded.service.reals).map((real) => prepareReal(real, expanded.service, checks));
    return { ...expanded, reals };
  });
  return { desired, services };
}

function prepareReal(real: DesiredReal, service: DesiredService, checks: RealChecks): PreparedReal {
  const port = probePortOf(real, service);
  const target = port === null ? real.address : formatEndpoint(real.address, port);
  return { real, checks: checks.of(service, real), memoryKey: targetOf(real), target };
}
