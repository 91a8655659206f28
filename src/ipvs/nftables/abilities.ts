import type { DataplaneOp, KernelDestination, KernelService } from '../dataplane.ts';

/*
 * What rules of nf_tables can do of what IPVS does. nf_tables chooses a real when a connection begins, by counting or
 * hashing; it does not know how many connections a real has, and what it rewrites is an address.
 */

/** How reals share new connections: by turns, by turns and weight, the heaviest alone, or by the client's address. */
export type Sharing = 'equal' | 'weighted' | 'heaviest' | 'source';

/**
 * lc and wlc count connections, which no rule can. They are taken all the same, because wlc is the default of records
 * and because what they do on an even load is what rr and wrr do; `sharedAs` tells it to whoever looks.
 */
const SHARING: Readonly<Record<string, Sharing>> = {
  rr: 'equal',
  lc: 'equal',
  wrr: 'weighted',
  wlc: 'weighted',
  fo: 'heaviest',
  sh: 'source',
};

/** @returns null for a scheduler that has no counterpart */
export function sharingOf(scheduler: string): Sharing | null {
  return Object.hasOwn(SHARING, scheduler) ? (SHARING[scheduler] ?? null) : null;
}

/** The scheduler that stands in for one that counts connections; null = it is what it is. */
export function sharedAs(scheduler: string): string | null {
  if (scheduler === 'lc') return 'rr';
  return scheduler === 'wlc' ? 'wrr' : null;
}

/** @returns why no rule can carry the operation out, with what was found and what is allowed; null if one can */
export function unsupported(op: DataplaneOp): string | null {
  switch (op.kind) {
    case 'addService':
    case 'editService':
      return unsupportedService(op.service);
    case 'addDestination':
    case 'editDestination':
      return unsupportedDestination(op.destination);
    case 'deleteService':
    case 'deleteDestination':
      return null;
  }
}

function unsupportedService({ scheduler, onePacket, persistenceEngine }: KernelService): string | null {
  if (sharingOf(scheduler) === null) {
    return `nftables has no scheduler "${scheduler}"; allowed: ${Object.keys(SHARING).sort().join(', ')}`;
  }
  if (onePacket) return 'nftables has no one-packet scheduling; allowed: onePacket false';
  if (persistenceEngine !== null) {
    return `nftables has no persistence engine "${persistenceEngine}"; allowed: persistence by address`;
  }
  return null;
}

function unsupportedDestination({ forwarding, upperThreshold, lowerThreshold }: KernelDestination): string | null {
  if (forwarding.method !== 'nat') {
    return `nftables cannot forward by "${forwarding.method}"; allowed: nat`;
  }
  if (upperThreshold !== 0 || lowerThreshold !== 0) {
    return `nftables has no connection thresholds (found ${upperThreshold} and ${lowerThreshold}); allowed: 0`;
  }
  return null;
}
