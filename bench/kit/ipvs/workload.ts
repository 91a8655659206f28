import type { Effective, WantedDestination, WantedService } from '../../../src/agent/policy/effective-state.ts';
import { destinationKeyOf, serviceKeyOf } from '../../../src/ipvs/dataplane.ts';
import type {
  DataplaneOp,
  DestinationKey,
  KernelDestination,
  KernelService,
  ServiceKey,
} from '../../../src/ipvs/dataplane.ts';
import { renderOp } from '../../../src/ipvs/ipvsadm/render.ts';
import type { IpAddress } from '../../../src/model/address.ts';

/** 100 services of 100 reals each, wlc and NAT. */
export const SERVICES = 100;
export const REALS_PER_SERVICE = 100;
export const REALS = SERVICES * REALS_PER_SERVICE;
/** The real whose weight is changed is in the middle. */
export const EDITED_SERVICE = 42;
const EDITED_REAL = 42;

export function serviceNumber(index: number): KernelService {
  const address = `192.0.${2 + Math.floor(index / 250)}.${(index % 250) + 1}` as IpAddress;
  return {
    match: { kind: 'address', family: 'ipv4', protocol: 'tcp', address, port: 80 },
    scheduler: 'wlc',
    schedulerFlags: 0,
    onePacket: false,
    persistence: null,
    persistenceEngine: null,
  };
}

function realNumber(service: number, index: number, weight: number): KernelDestination {
  return {
    address: `10.${1 + (service >> 4)}.${service & 15}.${index + 1}` as IpAddress,
    port: 8080,
    weight,
    forwarding: { method: 'nat' },
    upperThreshold: 0,
    lowerThreshold: 0,
  };
}

/** What should be in force; `edited` is the weight of the edited real, 1 that of all others. */
export function wanted(edited = 1, services = SERVICES): Effective {
  const kernel = new Map<ServiceKey, WantedService>();
  for (let service = 0; service < services; service++) {
    const destinations = new Map<DestinationKey, WantedDestination>();
    for (let real = 0; real < REALS_PER_SERVICE; real++) {
      const weight = isEdited(service, real) ? edited : 1;
      const destination = realNumber(service, real, weight);
      destinations.set(destinationKeyOf(destination), { real: `r${real}`, destination });
    }
    const held = serviceNumber(service);
    const key = serviceKeyOf(held.match);
    kernel.set(key, {
      key,
      service: `s${service}`,
      kernel: held,
      destinations,
      out: new Map(),
      drainTimeoutMs: null,
      pending: false,
    });
  }
  return { revision: `weight ${edited}`, services: new Map(), kernel, vips: new Map(), marks: [], nextChangeMs: null };
}

function isEdited(service: number, real: number): boolean {
  return service === EDITED_SERVICE && real === EDITED_REAL;
}

/** The whole of it as a plan for an empty kernel. */
export function fullPlan(services = SERVICES): DataplaneOp[] {
  return [...wanted(1, services).kernel.values()].flatMap(({ kernel: service, destinations }): DataplaneOp[] => [
    { kind: 'addService', service },
    ...Array.from(destinations.values(), ({ destination }): DataplaneOp => {
      return { kind: 'addDestination', match: service.match, destination };
    }),
  ]);
}

/** The same plan for `ipvsadm --restore`. */
export function restoreText(): string {
  return fullPlan()
    .map((op) => `${renderOp(op) ?? ''}\n`)
    .join('');
}

/** The same services for keepalived, without checkers: every real is in the pool from the start. */
export function keepalivedText(edited: number): string {
  const services = [...wanted(edited).kernel.values()].map(({ kernel: { match }, destinations }) => {
    const where = match.kind === 'address' ? `${match.address} ${match.port}` : `fwmark ${match.fwmark}`;
    const reals = Array.from(destinations.values(), ({ destination: { address, port, weight } }) => {
      return `  real_server ${address} ${port} {\n    weight ${weight}\n  }\n`;
    });
    return `virtual_server ${where} {\n  lb_algo wlc\n  lb_kind NAT\n  protocol TCP\n${reals.join('')}}\n`;
  });
  return services.join('');
}
