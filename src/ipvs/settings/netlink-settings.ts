import { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { IPVS_FAMILY } from '../attributes.ts';
import type { ApplyReport } from '../dataplane.ts';
import { errnoOf } from '../kernel-refusal.ts';
import { NetlinkClient } from '../netlink/client.ts';
import type { ClientLimits } from '../netlink/client.ts';
import { errnoName } from '../netlink/errno.ts';
import { resolveFamily } from '../netlink/family.ts';
import type { Acknowledgement, NetlinkRequest } from '../netlink/message.ts';
import type { OpenTransport } from '../netlink/transport.ts';
import { readDaemon, readTimeouts, SettingsRequests } from './messages.ts';
import type { Timeouts } from './messages.ts';
import { SettingsReport } from './report.ts';
import { stateOf, TIMEOUT_NAMES, SYNC_ROLES } from './settings.ts';
import type { IpvsSettings, KernelSetting, SettingsState, SyncDaemon, SyncRole } from './settings.ts';
import { readIpvsSysctls } from './sysctl-files.ts';
import type { Sysctls } from './sysctl-files.ts';

/** The settings of IPVS over generic netlink, and its sysctls as files. */
export class NetlinkSettings implements IpvsSettings {
  readonly #client: NetlinkClient;
  readonly #sysctls: Sysctls;
  #requests: SettingsRequests | null = null;

  constructor(deps: {
    readonly open: OpenTransport;
    readonly clock: Clock;
    readonly sysctls: Sysctls;
    readonly limits?: Partial<ClientLimits>;
  }) {
    this.#client = new NetlinkClient(deps);
    this.#sysctls = deps.sysctls;
  }

  async read(): Promise<Result<SettingsState, CodedError>> {
    const state = await this.#readAll();
    if (state.ok || errnoOf(state.error) !== 'ENOENT' || this.#requests === null) return state;
    // The number of the family changes when the module is loaded anew: then ask for it again, once.
    this.#requests = null;
    return this.#readAll();
  }

  async apply(settings: readonly KernelSetting[]): Promise<ApplyReport<KernelSetting>> {
    const report = new SettingsReport();
    const requests = await this.#resolved();
    if (!requests.ok) return report.finish(requests.error);
    for (const setting of settings) {
      if (setting.kind === 'sysctl') {
        report.note(setting, this.#sysctls.write(`net.ipv4.vs.${setting.name}`, setting.value));
        continue;
      }
      const answered =
        setting.kind === 'timeout'
          ? await this.#ask(requests.value.setTimeouts({ [setting.name]: setting.seconds }))
          : await this.#setDaemon(requests.value, setting.role, setting.daemon);
      if (!answered.ok) return report.finish(answered.error);
      const { errno, text } = answered.value;
      if (errno === 0) report.applied(setting);
      else report.refused(setting, errnoName(errno), text);
    }
    return report.finish();
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #readAll(): Promise<Result<SettingsState, CodedError>> {
    const requests = await this.#resolved();
    if (!requests.ok) return requests;
    const timeouts = await this.#client.get(requests.value.timeouts(), ({ payload }) => readTimeouts(payload));
    if (!timeouts.ok) return timeouts;
    if (timeouts.value === null) return err(unanswered());
    const daemons = await this.#client.dump(requests.value.daemons(), ({ payload }) => readDaemon(payload));
    if (!daemons.ok) return daemons;
    const running = daemons.value.filter((each) => each !== null);
    const stopped = SYNC_ROLES.filter((role) => !running.some((each) => each.role === role));
    return ok(
      stateOf([
        ...timeoutSettings(timeouts.value),
        ...running,
        ...stopped.map((role) => ({ kind: 'sync', role, daemon: null }) as const),
        ...readIpvsSysctls(this.#sysctls),
      ]),
    );
  }

  /** The kernel starts no second daemon of a role, and changes none that runs. */
  async #setDaemon(
    requests: SettingsRequests,
    role: SyncRole,
    daemon: SyncDaemon | null,
  ): Promise<Result<Acknowledgement, CodedError>> {
    const stopped = await this.#ask(requests.stopDaemon(role));
    // ESRCH: none runs.
    if (!stopped.ok || daemon === null) return stopped;
    return this.#ask(requests.startDaemon(role, daemon));
  }

  async #ask(request: NetlinkRequest): Promise<Result<Acknowledgement, CodedError>> {
    const { answers, lost } = await this.#client.request([request]);
    if (lost !== null) return err(lost);
    const [answer] = answers;
    return answer === undefined ? err(unanswered()) : ok(answer);
  }

  async #resolved(): Promise<Result<SettingsRequests, CodedError>> {
    if (this.#requests !== null) return ok(this.#requests);
    const answer = await resolveFamily(this.#client, IPVS_FAMILY);
    if (!answer.ok) return answer;
    if (answer.value === null) return err(new CodedError('NETLINK_UNAVAILABLE', 'the kernel does not know IPVS'));
    this.#requests = new SettingsRequests(answer.value);
    return ok(this.#requests);
  }
}

function timeoutSettings(timeouts: Timeouts): KernelSetting[] {
  return TIMEOUT_NAMES.map((name) => ({ kind: 'timeout', name, seconds: timeouts[name] }));
}

function unanswered(): CodedError {
  return new CodedError('NETLINK_LOST', 'the kernel answered without what was asked for', { transient: true });
}
