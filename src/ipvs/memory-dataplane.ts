import { CodedError } from '../core/errors.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { destinationKeyOf, matchOf, serviceKeyOf } from './dataplane.ts';
import type {
  ActualDestination,
  ApplyReport,
  Dataplane,
  DataplaneOp,
  DataplaneState,
  DestinationActivity,
  DestinationKey,
  KernelDestination,
  KernelService,
  ServiceKey,
  TrafficStats,
} from './dataplane.ts';
import { ReportBuilder } from './report.ts';

/** The schedulers of Linux 6.x (net/netfilter/ipvs/ip_vs_*.c). */
export const SCHEDULERS: readonly string[] = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'dh',
  'sh',
  'sed',
  'nq',
  'fo',
  'ovf',
  'mh',
  'twos',
];

export interface MemoryDataplaneOptions {
  /** Schedulers whose modules are "loaded"; another is refused with ENOENT, as the kernel does. */
  readonly schedulers?: readonly string[];
  readonly persistenceEngines?: readonly string[];
  /**
   * Consulted before each operation, to play a kernel in trouble: an errno refuses it, 'lost' loses the answers to it
   * and to all that follow (it and they are not carried out).
   */
  readonly disturb?: (op: DataplaneOp) => string | null;
}

interface Entry {
  service: KernelService;
  readonly destinations: Map<DestinationKey, KernelDestination>;
}

/**
 * IPVS as a table in memory with the kernel's rules and errors (ip_vs_genl_set_cmd): for dry runs, and for tests of
 * whatever stands on the port. No packet ever meets it, so every counter is zero.
 */
export class MemoryDataplane implements Dataplane {
  readonly name = 'memory';
  readonly #table = new Map<ServiceKey, Entry>();
  readonly #schedulers: ReadonlySet<string>;
  readonly #engines: ReadonlySet<string>;
  readonly #disturb: (op: DataplaneOp) => string | null;
  #closed = false;

  constructor(options: MemoryDataplaneOptions = {}) {
    this.#schedulers = new Set(options.schedulers ?? SCHEDULERS);
    this.#engines = new Set(options.persistenceEngines ?? ['sip']);
    this.#disturb = options.disturb ?? (() => null);
  }

  read(): Promise<Result<DataplaneState, CodedError>> {
    if (this.#closed) return Promise.resolve(err(closedError()));
    const state = new Map(
      Array.from(this.#table, ([key, { service, destinations }]) => [
        key,
        { service, stats: NO_TRAFFIC, destinations: new Map(Array.from(destinations, withActivity)) },
      ]),
    );
    return Promise.resolve(ok(state));
  }

  apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>> {
    const report = new ReportBuilder();
    if (this.#closed) return Promise.resolve(report.finish(closedError()));
    for (const op of report.screened(ops)) {
      const disturbance = this.#disturb(op);
      if (disturbance === 'lost') {
        const lost = new CodedError('NETLINK_LOST', 'the answers were lost', { transient: true });
        return Promise.resolve(report.finish(lost));
      }
      const errno = disturbance ?? this.#carryOut(op);
      if (errno === null) report.applied(op);
      else report.refused(op, errno);
    }
    return Promise.resolve(report.finish());
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** @returns the errno that the kernel would answer with, or null */
  #carryOut(op: DataplaneOp): string | null {
    const key = serviceKeyOf(matchOf(op));
    const entry = this.#table.get(key);
    if (op.kind === 'addService') {
      if (entry !== undefined) return 'EEXIST';
      if (!this.#hasModulesFor(op.service)) return 'ENOENT';
      this.#table.set(key, { service: op.service, destinations: new Map() });
      return null;
    }
    if (entry === undefined) return 'ESRCH';
    switch (op.kind) {
      case 'editService':
        if (!this.#hasModulesFor(op.service)) return 'ENOENT';
        entry.service = op.service;
        return null;
      case 'deleteService':
        this.#table.delete(key);
        return null;
      case 'addDestination': {
        const destination = destinationKeyOf(op.destination);
        if (entry.destinations.has(destination)) return 'EEXIST';
        entry.destinations.set(destination, op.destination);
        return null;
      }
      case 'editDestination': {
        const destination = destinationKeyOf(op.destination);
        if (!entry.destinations.has(destination)) return 'ENOENT';
        entry.destinations.set(destination, op.destination);
        return null;
      }
      case 'deleteDestination':
        return entry.destinations.delete(destinationKeyOf(op)) ? null : 'ENOENT';
    }
  }

  #hasModulesFor({ scheduler, persistenceEngine }: KernelService): boolean {
    return this.#schedulers.has(scheduler) && (persistenceEngine === null || this.#engines.has(persistenceEngine));
  }
}

export const NO_TRAFFIC: TrafficStats = {
  connections: 0n,
  inPackets: 0n,
  outPackets: 0n,
  inBytes: 0n,
  outBytes: 0n,
  connectionsPerSecond: 0,
  inPacketsPerSecond: 0,
  outPacketsPerSecond: 0,
  inBytesPerSecond: 0,
  outBytesPerSecond: 0,
};

export const NO_ACTIVITY: DestinationActivity = {
  activeConnections: 0,
  inactiveConnections: 0,
  persistentConnections: 0,
  stats: NO_TRAFFIC,
};

function withActivity([key, destination]: [DestinationKey, KernelDestination]): [DestinationKey, ActualDestination] {
  return [key, { destination, activity: NO_ACTIVITY }];
}

function closedError(): CodedError {
  return new CodedError('NETLINK_UNAVAILABLE', 'the dataplane was closed');
}
