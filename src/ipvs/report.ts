import type { CodedError } from '../core/errors.ts';
import type { ApplyReport, DataplaneOp, FailedOp } from './dataplane.ts';
import { adviceFor, describeOp } from './describe.ts';
import { KernelRefusal } from './kernel-refusal.ts';
import { brokenRule } from './rules.ts';

/** Gathers what becomes of the operations of one plan. */
export class ReportBuilder {
  readonly #applied: DataplaneOp[] = [];
  readonly #failed: FailedOp<DataplaneOp>[] = [];

  applied(op: DataplaneOp): void {
    this.#applied.push(op);
  }

  /** @param text the kernel's or ipvsadm's own words, if it had any */
  refused(
    op: DataplaneOp,
    errno: string,
    text: string | null = null,
    code: 'NETLINK_REFUSED' | 'IPVSADM_FAILED' = 'NETLINK_REFUSED',
  ): void {
    const words = text === null ? '' : ` (${text})`;
    const message = `could not ${describeOp(op)}: ${errno}, ${adviceFor(op, errno)}${words}`;
    this.#failed.push({ op, error: new KernelRefusal(errno, message, { code }) });
  }

  /** Sorts out what no kernel would take. @returns the operations that are worth sending */
  screened(ops: readonly DataplaneOp[]): DataplaneOp[] {
    return ops.filter((op) => {
      const broken = brokenRule(op);
      if (broken === null) return true;
      const message = `could not ${describeOp(op)}: ${broken.errno}, ${broken.reason}`;
      this.#failed.push({ op, error: new KernelRefusal(broken.errno, message) });
      return false;
    });
  }

  finish(lost: CodedError | null = null): ApplyReport<DataplaneOp> {
    return { applied: this.#applied, failed: this.#failed, lost };
  }
}
