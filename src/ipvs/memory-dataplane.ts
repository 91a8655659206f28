import { CodedError } from '../core/errors.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { SCHEDULERS } from '../model/records/service.ts';
import type {
  ActualDestination,
  ActualService,
  ApplyReport,
  Dataplane,
  DataplaneInfo,
  DataplaneOp,
  DataplaneState,
  DestinationKey,
  KernelDestination,
  KernelService,
  ServiceKey,
  ServiceMatch,
} from './dataplane.ts';
import { serviceKeyOf } from './dataplane.ts';
import { KernelTable } from './kernel-table.ts';
import type { TableEntry } from './kernel-table.ts';
import { NO_ACTIVITY, NO_TRAFFIC } from './traffic.ts';
import { ReportBuilder } from './report.ts';

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

/**
 * IPVS as a table in memory with the kernel's rules and errors (ip_vs_genl_set_cmd): for dry runs, and for tests of
 * whatever stands on the port. No packet ever meets it, so every counter is zero.
 */
export class MemoryDataplane implements Dataplane {
  readonly name = 'memory';
  readonly #table = new KernelTable();
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
    return Promise.resolve(this.#closed ? err(closedError()) : ok(new Map(Array.from(this.#table.entries, told))));
  }

  readServices(matches: readonly ServiceMatch[]): Promise<Result<DataplaneState, CodedError>> {
    if (this.#closed) return Promise.resolve(err(closedError()));
    const found = matches.flatMap((match): [ServiceKey, ActualService][] => {
      const key = serviceKeyOf(match);
      const entry = this.#table.entries.get(key);
      return entry === undefined ? [] : [told([key, entry])];
    });
    return Promise.resolve(ok(new Map(found)));
  }

  info(): Promise<Result<DataplaneInfo, CodedError>> {
    return Promise.resolve(ok({ version: null, connectionTableSize: null }));
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
      const errno = disturbance ?? this.#table.carryOut(op, this.#hasModules);
      if (errno === null) report.applied(op);
      else report.refused(op, errno);
    }
    return Promise.resolve(report.finish());
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  readonly #hasModules = ({ scheduler, persistenceEngine }: KernelService): boolean =>
    this.#schedulers.has(scheduler) && (persistenceEngine === null || this.#engines.has(persistenceEngine));
}

function told([key, { service, destinations }]: [ServiceKey, TableEntry]): [ServiceKey, ActualService] {
  return [key, { service, stats: NO_TRAFFIC, destinations: new Map(Array.from(destinations, withActivity)) }];
}

function withActivity([key, destination]: [DestinationKey, KernelDestination]): [DestinationKey, ActualDestination] {
  return [key, { destination, activity: NO_ACTIVITY }];
}

function closedError(): CodedError {
  return new CodedError('NETLINK_UNAVAILABLE', 'the dataplane was closed');
}
