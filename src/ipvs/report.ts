import type { CodedError } from '../core/errors.ts';
import type { ApplyReport, DataplaneOp, FailedOp } from './dataplane.ts';
import { adviceFor, describeOp } from './describe.ts';
import { KernelRefusal } from './kernel-refusal.ts';
import { brokenRule } from './rules.ts';

export type RefusalCode = 'NETLINK_REFUSED' | 'IPVSADM_FAILED' | 'NFT_FAILED';

/** Gathers what becomes of the operations of one plan. */
export class ReportBuilder {
  readonly #applied: DataplaneOp[] = [];
  readonly #failed: FailedOp<DataplaneOp>[] = [];

  applied(op: DataplaneOp): void {
    this.#applied.push(op);
  }

  /** @param text the kernel's or ipvsadm's own words, if it had any */
  refused(op: DataplaneOp, errno: string, text: string | null = null, code: RefusalCode = 'NETLINK_REFUSED'): void {
    this.refusedBecause(op, errno, `${adviceFor(op, errno)}${text === null ? '' : ` (${text})`}`, code);
  }

  /** For a reason that says it all. */
  refusedBecause(op: DataplaneOp, errno: string, reason: string, code: RefusalCode = 'NETLINK_REFUSED'): void {
    const message = `could not ${describeOp(op)}: ${errno}, ${reason}`;
    this.#failed.push({ op, error: new KernelRefusal(errno, message, { code }) });
  }

  /** Sorts out what no kernel would take. @returns the operations that are worth sending */
  screened(ops: readonly DataplaneOp[]): DataplaneOp[] {
    return ops.filter((op) => {
      const broken = brokenRule(op);
      if (broken === null) return true;
      this.refusedBecause(op, broken.errno, broken.reason);
      return false;
    });
  }

  finish(lost: CodedError | null = null): ApplyReport<DataplaneOp> {
    return { applied: this.#applied, failed: this.#failed, lost };
  }
}
