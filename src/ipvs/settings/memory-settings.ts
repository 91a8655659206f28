import type { CodedError } from '../../core/errors.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { IPVS_SYSCTL_NAMES } from '../../model/ipvs-sysctls.ts';
import type { ApplyReport } from '../dataplane.ts';
import { SettingsReport } from './report.ts';
import { settingKeyOf, stateOf, SYNC_ROLES } from './settings.ts';
import type { IpvsSettings, KernelSetting, SettingKey, SettingsState } from './settings.ts';

/** What Linux 6.1 begins with, as far as it matters. */
const DEFAULTS: Readonly<Record<string, string>> = {
  am_droprate: '10',
  amemthresh: '1024',
  conn_reuse_mode: '1',
  pmtu_disc: '1',
  run_estimation: '1',
  snat_reroute: '1',
  sync_ports: '1',
  sync_threshold: '3 50',
  sync_version: '1',
};
/** The kernel's MTU of 1500 less the headers of IPv4 and UDP. */
const MAXLEN = 1_472;

const INITIAL: readonly KernelSetting[] = [
  { kind: 'timeout', name: 'tcp', seconds: 900 },
  { kind: 'timeout', name: 'tcpfin', seconds: 120 },
  { kind: 'timeout', name: 'udp', seconds: 300 },
  ...SYNC_ROLES.map((role) => ({ kind: 'sync', role, daemon: null }) as const),
  ...IPVS_SYSCTL_NAMES.map((name) => ({ kind: 'sysctl', name, value: DEFAULTS[name] ?? '0' }) as const),
];

export interface MemorySettingsOptions {
  /** Settings that this kernel has not. */
  readonly missing?: readonly string[];
  /** An errno refuses the setting. */
  readonly disturb?: (setting: KernelSetting) => string | null;
}

/** Settings that are only remembered: for dry runs and tests. */
export class MemorySettings implements IpvsSettings {
  readonly #state: Map<SettingKey, KernelSetting>;
  readonly #disturb: (setting: KernelSetting) => string | null;

  constructor({ missing = [], disturb = () => null }: MemorySettingsOptions = {}) {
    this.#state = new Map([...stateOf(INITIAL)].filter(([key]) => !missing.includes(key)));
    this.#disturb = disturb;
  }

  read(): Promise<Result<SettingsState, CodedError>> {
    return Promise.resolve(ok(new Map(this.#state)));
  }

  apply(settings: readonly KernelSetting[]): Promise<ApplyReport<KernelSetting>> {
    const report = new SettingsReport();
    for (const setting of settings) {
      const key = settingKeyOf(setting);
      const errno = this.#disturb(setting) ?? (this.#state.has(key) ? null : 'ENOENT');
      if (errno === null) {
        this.#state.set(key, asTold(setting));
        report.applied(setting);
      } else report.refused(setting, errno);
    }
    return Promise.resolve(report.finish());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** As the kernel would tell it when it is asked. */
function asTold(setting: KernelSetting): KernelSetting {
  if (setting.kind !== 'sync' || setting.daemon === null) return setting;
  return { ...setting, daemon: { ...setting.daemon, maxlen: setting.daemon.maxlen ?? MAXLEN } };
}
