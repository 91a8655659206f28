import { destinationKeyOf, matchOf, serviceKeyOf } from './dataplane.ts';
import type { DataplaneOp, DestinationKey, KernelDestination, KernelService, ServiceKey } from './dataplane.ts';

/** A service and its destinations without their counters. */
export interface TableEntry {
  readonly service: KernelService;
  readonly destinations: ReadonlyMap<DestinationKey, KernelDestination>;
}

interface Entry extends TableEntry {
  readonly destinations: Map<DestinationKey, KernelDestination>;
}

/** Errors that depend on what is in the table; see ip_vs_genl_set_cmd() in net/netfilter/ipvs/ip_vs_ctl.c. */
export type TableErrno = 'EEXIST' | 'ENOENT' | 'ESRCH';

/** The kernel's table of services as plain data, with the kernel's answers to operations that do not fit it. */
export class KernelTable {
  readonly #entries = new Map<ServiceKey, Entry>();

  static from(entries: ReadonlyMap<ServiceKey, TableEntry>): KernelTable {
    const table = new KernelTable();
    for (const [key, { service, destinations }] of entries) {
      table.#entries.set(key, { service, destinations: new Map(destinations) });
    }
    return table;
  }

  get entries(): ReadonlyMap<ServiceKey, TableEntry> {
    return this.#entries;
  }

  service(key: ServiceKey): KernelService | undefined {
    return this.#entries.get(key)?.service;
  }

  destination(service: ServiceKey, key: DestinationKey): KernelDestination | undefined {
    return this.#entries.get(service)?.destinations.get(key);
  }

  /**
   * @param hasModules whether the kernel has the scheduler and the persistence engine that a service names
   * @returns the kernel's refusal, with the table as it was, or null
   */
  carryOut(op: DataplaneOp, hasModules: (service: KernelService) => boolean = () => true): TableErrno | null {
    const key = serviceKeyOf(matchOf(op));
    const entry = this.#entries.get(key);
    if (op.kind === 'addService') {
      if (entry !== undefined) return 'EEXIST';
      if (!hasModules(op.service)) return 'ENOENT';
      this.#entries.set(key, { service: op.service, destinations: new Map() });
      return null;
    }
    if (entry === undefined) return 'ESRCH';
    switch (op.kind) {
      case 'editService':
        if (!hasModules(op.service)) return 'ENOENT';
        this.#entries.set(key, { ...entry, service: op.service });
        return null;
      case 'deleteService':
        this.#entries.delete(key);
        return null;
      case 'deleteDestination':
        return entry.destinations.delete(destinationKeyOf(op)) ? null : 'ENOENT';
      case 'addDestination':
      case 'editDestination': {
        const destination = destinationKeyOf(op.destination);
        const exists = entry.destinations.has(destination);
        if (op.kind === 'addDestination' && exists) return 'EEXIST';
        if (op.kind === 'editDestination' && !exists) return 'ENOENT';
        entry.destinations.set(destination, op.destination);
        return null;
      }
    }
  }
}
