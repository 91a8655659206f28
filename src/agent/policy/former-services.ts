import type { DataplaneOp, DataplaneState, ServiceKey } from '../../ipvs/dataplane.ts';
import type { DesiredAgent, Named } from './desired-state.ts';
import type { FormerServices, Journal, JournalService } from './journal.ts';

type Kind = DesiredAgent['dataplane'];

/** Where a dataplane keeps its services; two of them share one table. */
const TABLES: Readonly<Record<Kind, 'ip_vs' | 'nf_tables' | 'memory'>> = {
  ipvs: 'ip_vs',
  ipvsadm: 'ip_vs',
  nftables: 'nf_tables',
  memory: 'memory',
};

/**
 * The journal for a dataplane, which may be another one than it was written with. Services in another table are former
 * ones then: they go on until the new table has all that is wanted, and are taken out by `formerOps`.
 * @param sameBoot false = the kernel has begun anew since, with nothing in any table
 */
export function journalFor(kind: Kind, journal: Journal, sameBoot: boolean): Journal {
  const { dataplane = kind, services } = journal;
  const former = sameBoot ? (journal.former ?? null) : null;
  if (TABLES[dataplane] === TABLES[kind]) return { ...journal, dataplane: kind, former };
  const left = sameBoot && Object.keys(services).length > 0 ? { dataplane, services } : null;
  return { ...journal, dataplane: kind, services: former?.services ?? NOTHING, former: left };
}

const NOTHING: Named<JournalService> = {};

/** Takes out what is ours and still there, whatever connections it has: their packets go the new way by now. */
export function formerOps({ services }: FormerServices, actual: DataplaneState): DataplaneOp[] {
  return Object.keys(services).flatMap((key): DataplaneOp[] => {
    const there = actual.get(key as ServiceKey);
    return there === undefined ? [] : [{ kind: 'deleteService', match: there.service.match }];
  });
}
