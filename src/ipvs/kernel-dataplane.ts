import { CodedError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { IPVS_FAMILY } from './attributes.ts';
import type { ApplyReport, Dataplane, DataplaneInfo, DataplaneOp, DataplaneState, ServiceMatch } from './dataplane.ts';
import { errnoOf } from './kernel-refusal.ts';
import type { ModuleLoader } from './kernel-modules.ts';
import { NetlinkClient } from './netlink/client.ts';
import type { ClientCounters, ClientLimits } from './netlink/client.ts';
import { errnoName } from './netlink/errno.ts';
import { resolveFamily } from './netlink/family.ts';
import type { OpenTransport } from './netlink/transport.ts';
import { readInfo } from './replies.ts';
import { ReportBuilder } from './report.ts';
import { IpvsRequests } from './requests.ts';
import { TableReader } from './table-reader.ts';

export interface KernelDataplaneDeps {
  readonly open: OpenTransport;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once, with 'ip_vs', when the kernel does not know IPVS. */
  readonly loadModule: ModuleLoader;
  readonly limits?: Partial<ClientLimits>;
}

/** IPVS over generic netlink. */
export class KernelDataplane implements Dataplane {
  readonly name = 'ipvs';
  readonly #client: NetlinkClient;
  readonly #reader: TableReader;
  readonly #loadModule: ModuleLoader;
  /** Null until the family is resolved. */
  #requests: IpvsRequests | null = null;
  #moduleWanted = true;

  constructor(deps: KernelDataplaneDeps) {
    this.#client = new NetlinkClient(deps);
    this.#reader = new TableReader(this.#client, deps.log);
    this.#loadModule = deps.loadModule;
  }

  /** What went over the socket, for the status page and for tests. */
  get counters(): ClientCounters {
    return this.#client.counters;
  }

  async read(): Promise<Result<DataplaneState, CodedError>> {
    const state = await this.#readAll();
    // The number of the family changes when the module is loaded anew: then ask for it again, once.
    if (state.ok || errnoOf(state.error) !== 'ENOENT' || this.#requests === null) return state;
    this.#requests = null;
    return this.#readAll();
  }

  async readServices(matches: readonly ServiceMatch[]): Promise<Result<DataplaneState, CodedError>> {
    const requests = await this.#resolved();
    return requests.ok ? this.#reader.readServices(matches, requests.value) : requests;
  }

  async info(): Promise<Result<DataplaneInfo, CodedError>> {
    const requests = await this.#resolved();
    if (!requests.ok) return requests;
    const info = await this.#client.get(requests.value.info(), ({ payload }) => readInfo(payload));
    return info.ok ? ok(info.value ?? { version: null, connectionTableSize: null }) : info;
  }

  /** A batch is made when its turn has come: a plan of 10,000 operations must not hold up the event loop. */
  async apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>> {
    const report = new ReportBuilder();
    const size = this.#client.batchMessages;
    for (let at = 0; at < ops.length; at += size) {
      const lost = await this.#applyBatch(ops.slice(at, at + size), report);
      if (lost !== null) return report.finish(lost);
    }
    return report.finish();
  }

  async #applyBatch(ops: readonly DataplaneOp[], report: ReportBuilder): Promise<CodedError | null> {
    const sendable = report.screened(ops);
    if (sendable.length === 0) return null;
    const requests = await this.#resolved();
    if (!requests.ok) return requests.error;
    const { answers, lost } = await this.#client.request(sendable.map((op) => requests.value.carryOut(op)));
    for (const [index, op] of sendable.entries()) {
      const answer = answers[index];
      if (answer === undefined) break;
      if (answer.errno === 0) report.applied(op);
      else report.refused(op, errnoName(answer.errno), answer.text);
    }
    return lost;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #readAll(): Promise<Result<DataplaneState, CodedError>> {
    const requests = await this.#resolved();
    return requests.ok ? this.#reader.read(requests.value) : requests;
  }

  async #resolved(): Promise<Result<IpvsRequests, CodedError>> {
    if (this.#requests !== null) return ok(this.#requests);
    let answer = await resolveFamily(this.#client, IPVS_FAMILY);
    if (!answer.ok && errnoOf(answer.error) === 'ENOENT' && this.#moduleWanted) {
      this.#moduleWanted = false;
      await this.#loadModule('ip_vs');
      answer = await resolveFamily(this.#client, IPVS_FAMILY);
    }
    if (answer.ok && answer.value !== null) {
      this.#requests = new IpvsRequests(answer.value);
      return ok(this.#requests);
    }
    if (!answer.ok && errnoOf(answer.error) !== 'ENOENT') return answer;
    const text = 'the kernel does not know IPVS: `modprobe ip_vs` on the host, or choose another dataplane';
    return err(new CodedError('NETLINK_UNAVAILABLE', text, { transient: true }));
  }
}
