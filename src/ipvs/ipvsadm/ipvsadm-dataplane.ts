import { CodedError } from '../../core/errors.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { servicesIn } from '../dataplane.ts';
import type { ApplyReport, Dataplane, DataplaneInfo, DataplaneOp, DataplaneState, ServiceMatch } from '../dataplane.ts';
import { KernelTable } from '../kernel-table.ts';
import { ReportBuilder } from '../report.ts';
import { clean, complaintsIn, errnoIn } from './command.ts';
import type { RunProgram } from '../program.ts';
import { readEntries, readInfo, readState } from './read.ts';
import { renderOp } from './render.ts';
import { settle } from './settle.ts';

/** Operations of one plan that may fail for a reason of their own before the rest of it is given up. */
const FAILURES_PER_PLAN = 100;

/**
 * IPVS through ipvsadm(8): one `ipvsadm --restore` for a whole plan. ipvsadm does not say which lines failed, so after
 * a failure the table is read again (see `settle`); what stays open is tried by itself for its reason, and what ipvsadm
 * did not get to is given to it once more.
 */
export class IpvsadmDataplane implements Dataplane {
  readonly name = 'ipvsadm';
  readonly #run: RunProgram;
  /** The table as it was last seen, and changed since by us; null when that is not known. */
  #picture: KernelTable | null = null;

  constructor(deps: { readonly run: RunProgram }) {
    this.#run = deps.run;
  }

  async read(): Promise<Result<DataplaneState, CodedError>> {
    const state = await readState(this.#run);
    this.#picture = state.ok ? tableOf(state.value) : null;
    return state;
  }

  /** A run for each service would cost more processes than it saves lines. */
  async readServices(matches: readonly ServiceMatch[]): Promise<Result<DataplaneState, CodedError>> {
    const state = await readState(this.#run);
    return state.ok ? ok(servicesIn(state.value, matches)) : state;
  }

  info(): Promise<Result<DataplaneInfo, CodedError>> {
    return readInfo(this.#run);
  }

  async apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>> {
    const report = new ReportBuilder();
    let pending = report.screened(ops).filter((op) => {
      if (renderOp(op) !== null) return true;
      report.refused(op, 'EOPNOTSUPP', 'ipvsadm cannot set this way of forwarding', 'IPVSADM_FAILED');
      return false;
    });
    for (let failures = 0; pending.length > 0; failures++) {
      if (failures > FAILURES_PER_PLAN) {
        return report.finish(new CodedError('IPVSADM_FAILED', `more than ${FAILURES_PER_PLAN} operations failed`));
      }
      const step = await this.#restore(pending, report);
      if (!step.ok) return report.finish(step.error);
      pending = step.value;
    }
    return report.finish();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** @returns the operations that are still to be carried out, after one more of them was found to fail */
  async #restore(ops: DataplaneOp[], report: ReportBuilder): Promise<Result<DataplaneOp[], CodedError>> {
    const before = await this.#known();
    if (!before.ok) return before;
    const end = await this.#feed(ops);
    if (!end.ok) return end;
    if (clean(end.value)) {
      // The picture is at fault if it would have refused what the kernel took.
      for (const op of ops) {
        report.applied(op);
        if (before.value.carryOut(op) !== null) this.#picture = null;
      }
      return ok([]);
    }
    this.#picture = null;
    const after = await this.#known();
    if (!after.ok) return after;
    const { applied, refused, open } = settle(ops, before.value, after.value, complaintsIn(end.value));
    for (const op of applied) report.applied(op);
    for (const { op, complaint } of refused) report.refused(op, errnoIn(complaint), complaint, 'IPVSADM_FAILED');
    const [head, ...rest] = open;
    if (head === undefined) return ok([]);
    const alone = await this.#feed([head]);
    if (!alone.ok) return alone;
    if (clean(alone.value)) {
      after.value.carryOut(head);
      report.applied(head);
    } else {
      const { stderr } = alone.value;
      report.refused(head, errnoIn(stderr), stderr, 'IPVSADM_FAILED');
    }
    return ok(rest);
  }

  async #feed(ops: readonly DataplaneOp[]): ReturnType<RunProgram> {
    const end = await this.#run(['--restore'], ops.map((op) => `${renderOp(op) ?? ''}\n`).join(''));
    if (!end.ok) this.#picture = null;
    return end;
  }

  async #known(): Promise<Result<KernelTable, CodedError>> {
    if (this.#picture !== null) return ok(this.#picture);
    const entries = await readEntries(this.#run);
    if (!entries.ok) return entries;
    this.#picture = KernelTable.from(entries.value);
    return ok(this.#picture);
  }
}

function tableOf(state: DataplaneState): KernelTable {
  const plain = Array.from(state, ([key, { service, destinations }]) => {
    const each = Array.from(destinations, ([name, { destination }]) => [name, destination] as const);
    return [key, { service, destinations: new Map(each) }] as const;
  });
  return KernelTable.from(new Map(plain));
}
