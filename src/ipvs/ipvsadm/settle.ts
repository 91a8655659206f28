import { destinationKeyOf, matchOf, serviceKeyOf } from '../dataplane.ts';
import type { DataplaneOp } from '../dataplane.ts';
import { sameDestination, sameService } from '../equality.ts';
import type { KernelTable } from '../kernel-table.ts';

export interface Settled {
  readonly applied: readonly DataplaneOp[];
  /** With ipvsadm's words for each. */
  readonly refused: readonly { readonly op: DataplaneOp; readonly complaint: string }[];
  /** Refused for a reason that is not known, or never reached; in order. */
  readonly open: readonly DataplaneOp[];
}

/**
 * Finds out what became of each operation of a run in which some failed. ipvsadm complains once for each operation
 * that the kernel refused, in order, but does not say which it was: those are the ones that did not fit the table when
 * their turn came, and the ones whose effect is missing. If there are as many complaints, they belong together in
 * order. If not, the picture of the table before was out of date, or ipvsadm stopped at a line.
 * @param before the table before the run; it is changed
 */
export function settle(
  ops: readonly DataplaneOp[],
  before: KernelTable,
  after: KernelTable,
  complaints: readonly string[],
): Settled {
  const lastOf = new Map(ops.map((op) => [subjectOf(op), op]));
  const trials = ops.map((op) => ({
    op,
    missing: !isInForce(lastOf.get(subjectOf(op)) ?? op, after),
    unfit: before.carryOut(op) !== null,
  }));
  const hypotheses = [(trial: Trial) => trial.missing || trial.unfit, (trial: Trial) => trial.missing];
  for (const failed of hypotheses) {
    const failures = trials.filter(failed);
    if (failures.length !== complaints.length) continue;
    const applied = trials.filter((trial) => !failed(trial)).map(({ op }) => op);
    return {
      applied,
      refused: failures.map(({ op }, index) => ({ op, complaint: complaints[index] ?? '' })),
      open: [],
    };
  }
  return {
    applied: trials.filter(({ missing }) => !missing).map(({ op }) => op),
    refused: [],
    open: trials.filter(({ missing }) => missing).map(({ op }) => op),
  };
}

interface Trial {
  readonly op: DataplaneOp;
  readonly missing: boolean;
  readonly unfit: boolean;
}

/** The entry that an operation is about, as a key. */
function subjectOf(op: DataplaneOp): string {
  const service = serviceKeyOf(matchOf(op));
  switch (op.kind) {
    case 'addService':
    case 'editService':
    case 'deleteService':
      return service;
    case 'addDestination':
    case 'editDestination':
      return `${service} > ${destinationKeyOf(op.destination)}`;
    case 'deleteDestination':
      return `${service} > ${destinationKeyOf(op)}`;
  }
}

function isInForce(op: DataplaneOp, table: KernelTable): boolean {
  const key = serviceKeyOf(matchOf(op));
  switch (op.kind) {
    case 'addService':
    case 'editService': {
      const service = table.service(key);
      return service !== undefined && sameService(service, op.service);
    }
    case 'deleteService':
      return table.service(key) === undefined;
    case 'addDestination':
    case 'editDestination': {
      const destination = table.destination(key, destinationKeyOf(op.destination));
      return destination !== undefined && sameDestination(destination, op.destination);
    }
    case 'deleteDestination':
      return table.destination(key, destinationKeyOf(op)) === undefined;
  }
}
