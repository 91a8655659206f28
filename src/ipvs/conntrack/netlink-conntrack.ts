import type { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { errnoOf, KernelRefusal } from '../kernel-refusal.ts';
import { NetlinkClient } from '../netlink/client.ts';
import type { ClientCounters, ClientLimits } from '../netlink/client.ts';
import { errnoMeaning, errnoName } from '../netlink/errno.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import type { OpenTransport } from '../netlink/transport.ts';
import type { Conntrack, FlowCount, FlowTarget } from './flows.ts';
import { flowMatcher } from './flows.ts';
import { flowsRequest, flowsToRequest, forgetRequest, readFlow } from './messages.ts';
import type { DumpedFlow } from './messages.ts';

/** Above this many targets the whole table is read once, instead of being searched for each of them in the kernel. */
const SEARCHES = 8;

/**
 * What a kernel says that tracks nothing we could see: no nfnetlink at all, or no ctnetlink behind it
 * (nfnetlink_rcv_msg).
 */
const ABSENT: ReadonlySet<string | null> = new Set(['EPROTONOSUPPORT', 'EINVAL']);

/** Connection tracking over ctnetlink. */
export class NetlinkConntrack implements Conntrack {
  readonly #client: NetlinkClient;

  /** @param deps.open opens NETLINK_NETFILTER */
  constructor(deps: { readonly open: OpenTransport; readonly clock: Clock; readonly limits?: Partial<ClientLimits> }) {
    this.#client = new NetlinkClient(deps);
  }

  get counters(): ClientCounters {
    return this.#client.counters;
  }

  async count(): Promise<Result<readonly FlowCount[] | null, CodedError>> {
    const flows = await this.#dump(flowsRequest, everyFlow);
    if (!flows.ok) return flows;
    if (flows.value === null) return ok(null);
    const counts = new Map<string, FlowCount>();
    for (const { protocol, service, real, established } of flows.value) {
      const key = `${protocol}|${service.address}|${service.port}|${real.address}|${real.port}`;
      const before = counts.get(key) ?? { flows: 0, established: 0 };
      const sum = { flows: before.flows + 1, established: before.established + (established ? 1 : 0) };
      counts.set(key, { protocol, service, real, ...sum });
    }
    return ok([...counts.values()]);
  }

  async forget(targets: readonly FlowTarget[]): Promise<Result<number, CodedError>> {
    const found = await this.#flowsTo(targets);
    if (!found.ok) return found;
    if (found.value.length === 0) return ok(0);
    const { answers, lost } = await this.#client.request(found.value.map(forgetRequest));
    if (lost !== null) return err(lost);
    // ENOENT: it ended by itself in the meantime.
    const refused = answers.find(({ errno }) => errno !== 0 && errnoName(errno) !== 'ENOENT');
    if (refused !== undefined) {
      const name = errnoName(refused.errno);
      return err(new KernelRefusal(name, `a tracked flow could not be deleted: ${name}, ${errnoMeaning(name)}`));
    }
    return ok(answers.filter(({ errno }) => errno === 0).length);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #flowsTo(targets: readonly FlowTarget[]): Promise<Result<DumpedFlow[], CodedError>> {
    const wanted = flowMatcher(targets);
    if (targets.length > SEARCHES) {
      const flows = await this.#dump(flowsRequest, wanted);
      return flows.ok ? ok(flows.value ?? []) : flows;
    }
    const found: DumpedFlow[] = [];
    for (const target of targets) {
      const flows = await this.#dump(flowsToRequest(target), wanted);
      if (!flows.ok) return flows;
      found.push(...(flows.value ?? []));
    }
    return ok(found);
  }

  /** @returns null where the kernel tracks nothing that we could see */
  async #dump(
    request: NetlinkRequest,
    wanted: (flow: DumpedFlow) => boolean,
  ): Promise<Result<DumpedFlow[] | null, CodedError>> {
    const found = await this.#client.dump(request, ({ payload }) => {
      const flow = readFlow(payload);
      return flow !== null && wanted(flow) ? flow : null;
    });
    if (found.ok) return ok(found.value.filter((flow) => flow !== null));
    return ABSENT.has(errnoOf(found.error)) ? ok(null) : found;
  }
}

function everyFlow(): boolean {
  return true;
}
