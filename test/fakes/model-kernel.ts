import type {
  ActualService,
  DataplaneOp,
  DataplaneState,
  DestinationKey,
  KernelDestination,
  ServiceKey,
} from '../../src/ipvs/dataplane.ts';
import { destinationKeyOf, matchOf, serviceKeyOf } from '../../src/ipvs/dataplane.ts';
import { KernelTable } from '../../src/ipvs/kernel-table.ts';
import { brokenRule } from '../../src/ipvs/rules.ts';
import { NO_ACTIVITY, NO_TRAFFIC } from '../../src/ipvs/traffic.ts';
import { familyOf } from '../../src/model/address.ts';
import type { IpAddress } from '../../src/model/address.ts';

/**
 * A kernel that takes operations one by one, refuses what the real one refuses, and remembers what it must never have
 * seen: an empty pool that was not empty before or after, a key deleted and added again.
 */
export class ModelKernel {
  readonly #table = new KernelTable();
  /** Connections by service and destination key, "tcp|192.0.2.1|80 10.0.0.1|80". */
  readonly connections = new Map<string, number>();

  /** What a dump would say now. */
  state(): DataplaneState {
    const services = [...this.#table.entries].map(([key, { service, destinations }]): [ServiceKey, ActualService] => {
      const withActivity = [...destinations].map(([destinationKey, destination]) => {
        const activeConnections = this.connections.get(`${key} ${destinationKey}`) ?? 0;
        return [destinationKey, { destination, activity: { ...NO_ACTIVITY, activeConnections } }] as const;
      });
      return [key, { service, stats: NO_TRAFFIC, destinations: new Map(withActivity) }];
    });
    return new Map(services);
  }

  /** @returns refusals, in words; an empty list is a plan that fits the kernel */
  apply(ops: readonly DataplaneOp[], afterEach: (op: DataplaneOp) => void = () => undefined): string[] {
    const refusals: string[] = [];
    for (const op of ops) {
      const refusal = brokenRule(op)?.reason ?? this.#table.carryOut(op);
      if (refusal === null) afterEach(op);
      else refusals.push(`${op.kind} ${serviceKeyOf(matchOf(op))}: ${refusal}`);
    }
    return refusals;
  }

  destinations(key: ServiceKey): ReadonlyMap<DestinationKey, KernelDestination> {
    return this.#table.entries.get(key)?.destinations ?? new Map<DestinationKey, KernelDestination>();
  }

  hasTraffic(key: ServiceKey): boolean {
    return [...this.destinations(key).values()].some(({ weight }) => weight > 0);
  }
}

/** Services by key with the weights of their destinations by key: `{ 'tcp|192.0.2.1|80': { '10.0.0.1|80': 10 } }`. */
export type Weights = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Operations that make such services (wlc, NAT) in an empty kernel. */
export function opsFor(weights: Weights): DataplaneOp[] {
  return Object.entries(weights).flatMap(([key, destinations]): DataplaneOp[] => {
    const [protocol = '', address = '', port = ''] = key.split('|');
    const family = familyOf(address as IpAddress);
    const match = {
      kind: 'address',
      family,
      protocol: protocol as 'tcp',
      address: address as IpAddress,
      port: Number(port),
    } as const;
    const kernel = {
      match,
      scheduler: 'wlc',
      schedulerFlags: 0,
      onePacket: false,
      persistence: null,
      persistenceEngine: null,
    };
    const adds = Object.entries(destinations).map(([destinationKey, weight]): DataplaneOp => {
      const [realAddress = '', realPort = ''] = destinationKey.split('|');
      const destination: KernelDestination = {
        address: realAddress as IpAddress,
        port: Number(realPort),
        weight,
        forwarding: { method: 'nat' },
        upperThreshold: 0,
        lowerThreshold: 0,
      };
      return { kind: 'addDestination', match, destination };
    });
    return [{ kind: 'addService', service: kernel }, ...adds];
  });
}

export function kernelState(weights: Weights): DataplaneState {
  const kernel = new ModelKernel();
  const refusals = kernel.apply(opsFor(weights));
  if (refusals.length > 0) throw new Error(refusals.join('; '));
  return kernel.state();
}

/** An operation in a few words: "edit tcp|192.0.2.1|80 10.0.0.1|80 0". */
export function opText(op: DataplaneOp): string {
  const key = serviceKeyOf(matchOf(op));
  switch (op.kind) {
    case 'addService':
      return `add ${key}`;
    case 'editService':
      return `edit ${key}`;
    case 'deleteService':
      return `delete ${key}`;
    case 'addDestination':
      return `add ${key} ${destinationKeyOf(op.destination)} ${op.destination.weight}`;
    case 'editDestination':
      return `edit ${key} ${destinationKeyOf(op.destination)} ${op.destination.weight}`;
    case 'deleteDestination':
      return `delete ${key} ${destinationKeyOf(op)}`;
  }
}
