import type { DestinationKey, ServiceKey } from '../../ipvs/dataplane.ts';
import type { IpAddress } from '../../model/address.ts';
import type { Connections } from './connections.ts';
import type { DesiredAgent, Named } from './desired-state.ts';

/**
 * What is ours in the kernel, where nothing says so. Written before the kernel is changed; plain data. A kernel
 * service is ours with all its destinations.
 */
export interface Journal {
  /** By ServiceKey. */
  readonly services: Named<JournalService>;
  /** VIP addresses that we added, by `addressKey`. */
  readonly addresses: Named<JournalAddress>;
  /** The dataplane that the services are in; absent = none yet. */
  readonly dataplane?: DesiredAgent['dataplane'];
  /** What is ours in the table of the dataplane before, until the one of now does all that is wanted; null = nothing. */
  readonly former?: FormerServices | null;
}

export interface FormerServices {
  readonly dataplane: DesiredAgent['dataplane'];
  readonly services: Named<JournalService>;
}

export interface JournalService {
  /** Name of the service record that it was last wanted by, for people. */
  readonly service: string;
  /** Milliseconds that this record, as it was last, allows what leaves; absent = as long as the agent says. */
  readonly drainTimeoutMs?: number;
  /** Set while the whole kernel service is on its way out. */
  readonly leaving: Leaving | null;
  /** Destinations on their way out of a service that stays, by DestinationKey. */
  readonly destinations: Named<LeavingDestination>;
}

/** All times are wall-clock milliseconds, because they must hold across a restart. */
export interface Leaving {
  readonly since: number;
  /** Deleted then, whatever connections are left. */
  readonly until: number;
  /** When it was first seen or set to weight 0; null = it still takes traffic. */
  readonly quietAt: number | null;
}

export interface LeavingDestination extends Leaving {
  /** Name of the real, if it is known. */
  readonly real: string | null;
}

export interface JournalAddress {
  readonly interface: string;
  readonly address: IpAddress;
  /**
   * Kernel services by mark that have served here, by ServiceKey: since when their record has another VIP, or its VIP
   * other addresses, in wall-clock milliseconds; null = they still serve here. Absent = none.
   */
  readonly marks?: Named<number | null>;
}

export const emptyJournal: Journal = { services: {}, addresses: {} };

export function addressKey(address: JournalAddress): string {
  return `${address.interface}|${address.address}`;
}

/** An address that nothing wants any more, but that the last connections at it need. */
export interface LeavingAddress {
  readonly interface: string;
  readonly address: IpAddress;
  /** Wall-clock milliseconds at which it is deleted; null = with the kernel service that needs it. */
  readonly until: number | null;
}

/** One thing on its way out, for status and health records. */
export interface LeavingEntry {
  readonly key: ServiceKey;
  readonly destination: DestinationKey;
  readonly service: string;
  readonly real: string | null;
  /** 0, unless it stands in for reals that await their first verdict. */
  readonly weight: number;
  readonly since: number;
  readonly until: number;
  /** As they were last counted. */
  readonly connections: Connections;
}
