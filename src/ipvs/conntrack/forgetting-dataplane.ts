import type { CodedError } from '../../core/errors.ts';
import { describeError } from '../../core/errors.ts';
import type { Log } from '../../core/ports.ts';
import type { Result } from '../../core/result.ts';
import type { ApplyReport, Dataplane, DataplaneInfo, DataplaneOp, DataplaneState, ServiceMatch } from '../dataplane.ts';
import type { Conntrack, FlowTarget } from './flows.ts';

/** Removals whose flows are still to be forgotten, because the kernel could not be asked. */
const PENDING_LIMIT = 10_000;

/**
 * A dataplane that also forgets the tracked flows of what it deletes. Only UDP needs it: a client that keeps its port
 * never starts anew by itself, while a TCP client does once its connection breaks.
 */
export class ForgettingDataplane implements Dataplane {
  readonly #inner: Dataplane;
  readonly #conntrack: Conntrack;
  readonly #log: Log;
  #pending: FlowTarget[] = [];

  constructor(deps: { readonly inner: Dataplane; readonly conntrack: Conntrack; readonly log: Log }) {
    this.#inner = deps.inner;
    this.#conntrack = deps.conntrack;
    this.#log = deps.log;
  }

  get name(): string {
    return this.#inner.name;
  }

  async read(): Promise<Result<DataplaneState, CodedError>> {
    await this.#forget([]);
    return this.#inner.read();
  }

  readServices(matches: readonly ServiceMatch[]): Promise<Result<DataplaneState, CodedError>> {
    return this.#inner.readServices(matches);
  }

  info(): Promise<Result<DataplaneInfo, CodedError>> {
    return this.#inner.info();
  }

  hindrances(): Promise<readonly string[]> {
    return this.#inner.hindrances?.() ?? Promise.resolve([]);
  }

  async apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>> {
    const report = await this.#inner.apply(ops);
    await this.#forget(flowsOf(report.applied));
    return report;
  }

  async close(): Promise<void> {
    await this.#inner.close();
    await this.#conntrack.close();
  }

  /** What fails is kept and tried again with the next call. */
  async #forget(targets: readonly FlowTarget[]): Promise<void> {
    const wanted = [...this.#pending, ...targets].slice(-PENDING_LIMIT);
    if (wanted.length === 0) return;
    this.#pending = wanted;
    const forgotten = await this.#conntrack.forget(wanted);
    if (!forgotten.ok) {
      const fields = { error: describeError(forgotten.error), removed: wanted.length };
      this.#log.warn(fields, 'tracked UDP flows to what was removed could not be forgotten; tried again later');
      return;
    }
    this.#pending = [];
    if (forgotten.value > 0) this.#log.info({ flows: forgotten.value }, 'forgot UDP flows to what was removed');
  }
}

/** The UDP flows to what the operations took away. A firewall mark does not tell the protocol, so it may be UDP. */
export function flowsOf(ops: readonly DataplaneOp[]): FlowTarget[] {
  return ops.flatMap((op): FlowTarget[] => {
    if (op.kind !== 'deleteDestination' && op.kind !== 'deleteService') return [];
    const { match } = op;
    if (match.kind === 'address' && match.protocol !== 'udp') return [];
    const service = match.kind === 'address' ? { address: match.address, port: match.port } : null;
    const real = op.kind === 'deleteDestination' ? { address: op.address, port: op.port } : null;
    return service === null && real === null ? [] : [{ protocol: 'udp', service, real }];
  });
}
