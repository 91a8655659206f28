import { CodedError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { IPVS_FAMILY } from './attributes.ts';
import { destinationKeyOf, serviceKeyOf } from './dataplane.ts';
import type {
  ActualDestination,
  ActualService,
  ApplyReport,
  Dataplane,
  DataplaneInfo,
  DataplaneOp,
  DataplaneState,
  DestinationKey,
  ServiceKey,
  ServiceMatch,
} from './dataplane.ts';
import { describeMatch } from './describe.ts';
import { errnoOf } from './kernel-refusal.ts';
import type { ModuleLoader } from './kernel-modules.ts';
import { NetlinkClient } from './netlink/client.ts';
import type { ClientCounters, ClientLimits } from './netlink/client.ts';
import { errnoName } from './netlink/errno.ts';
import { resolveFamily } from './netlink/family.ts';
import type { OpenTransport } from './netlink/transport.ts';
import { readDestination, readInfo, readService } from './replies.ts';
import type { DumpedService } from './replies.ts';
import { ReportBuilder } from './report.ts';
import { IpvsRequests } from './requests.ts';

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
  readonly #log: Log;
  readonly #loadModule: ModuleLoader;
  /** Null until the family is resolved. */
  #requests: IpvsRequests | null = null;
  #moduleWanted = true;

  constructor(deps: KernelDataplaneDeps) {
    this.#client = new NetlinkClient(deps);
    this.#log = deps.log;
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
    if (!requests.ok) return requests;
    const state = new Map<ServiceKey, ActualService>();
    for (const match of matches) {
      const dumped = await this.#client.get(requests.value.service(match), ({ payload }) => readService(payload));
      if (!dumped.ok && errnoOf(dumped.error) !== 'ESRCH') return dumped;
      if (!dumped.ok || dumped.value === null) continue;
      const actual = await this.#readDestinations(dumped.value, requests.value);
      if (!actual.ok) return actual;
      state.set(serviceKeyOf(match), actual.value);
    }
    return ok(state);
  }

  async info(): Promise<Result<DataplaneInfo, CodedError>> {
    const requests = await this.#resolved();
    if (!requests.ok) return requests;
    const info = await this.#client.get(requests.value.info(), ({ payload }) => readInfo(payload));
    return info.ok ? ok(info.value ?? { version: null, connectionTableSize: null }) : info;
  }

  async apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>> {
    const report = new ReportBuilder();
    const sendable = report.screened(ops);
    if (sendable.length === 0) return report.finish();
    const requests = await this.#resolved();
    if (!requests.ok) return report.finish(requests.error);
    const { answers, lost } = await this.#client.request(sendable.map((op) => requests.value.carryOut(op)));
    for (const [index, op] of sendable.entries()) {
      const answer = answers[index];
      if (answer === undefined) break;
      if (answer.errno === 0) report.applied(op);
      else report.refused(op, errnoName(answer.errno), answer.text);
    }
    return report.finish(lost);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #readAll(): Promise<Result<DataplaneState, CodedError>> {
    const requests = await this.#resolved();
    if (!requests.ok) return requests;
    const services = await this.#client.dump(requests.value.services(), ({ payload }) => readService(payload));
    if (!services.ok) return services;
    const state = new Map<ServiceKey, ActualService>();
    for (const dumped of this.#known(services.value, 'services of a kind that vipkeeper does not know')) {
      const actual = await this.#readDestinations(dumped, requests.value);
      if (!actual.ok) return actual;
      state.set(serviceKeyOf(dumped.service.match), actual.value);
    }
    return ok(state);
  }

  /** One dump: the kernel takes the next on this socket only once this one is read to its end. */
  async #readDestinations(dumped: DumpedService, requests: IpvsRequests): Promise<Result<ActualService, CodedError>> {
    const { match } = dumped.service;
    const found = await this.#client.dump(requests.destinationsOf(match), ({ payload }) =>
      readDestination(payload, match.family),
    );
    if (!found.ok) return found;
    const destinations = new Map<DestinationKey, ActualDestination>();
    for (const actual of this.#known(found.value, `reals of ${describeMatch(match)} of a kind that is not known`)) {
      destinations.set(destinationKeyOf(actual.destination), actual);
    }
    return ok({ ...dumped, destinations });
  }

  #known<T>(entries: readonly (T | null)[], what: string): T[] {
    const known = entries.filter((entry) => entry !== null);
    const skipped = entries.length - known.length;
    if (skipped > 0) this.#log.warn({ skipped }, `the kernel holds ${what}; they are left alone`);
    return known;
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
