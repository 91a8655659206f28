import type { CodedError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';
import type { IpAddress } from '../../model/address.ts';
import type { IpvsSysctlName } from '../../model/ipvs-sysctls.ts';
import type { ApplyReport } from '../dataplane.ts';

/*
 * The port to the settings of IPVS as a whole, of this network namespace: its timeouts, its sync daemons, its sysctls.
 * Plain data, because the state directory keeps what was found.
 */

export const TIMEOUT_NAMES = ['tcp', 'tcpfin', 'udp'] as const;
export type TimeoutName = (typeof TIMEOUT_NAMES)[number];

export const SYNC_ROLES = ['master', 'backup'] as const;
export type SyncRole = (typeof SYNC_ROLES)[number];

/** struct ipvs_sync_daemon_cfg */
export interface SyncDaemon {
  readonly interface: string;
  readonly id: number;
  readonly group: IpAddress;
  readonly port: number;
  readonly ttl: number;
  /** Bytes; null = what fits the MTU. The kernel always tells a number. */
  readonly maxlen: number | null;
}

export type KernelSetting =
  | { readonly kind: 'timeout'; readonly name: TimeoutName; readonly seconds: number }
  | { readonly kind: 'sysctl'; readonly name: IpvsSysctlName; readonly value: string }
  /** null = it does not run. */
  | { readonly kind: 'sync'; readonly role: SyncRole; readonly daemon: SyncDaemon | null };

/** The text form of what a setting is about: `timeout tcp`, `sync master`, `net.ipv4.vs.conntrack`. */
export type SettingKey = string & { readonly __brand: 'SettingKey' };

export function settingKeyOf(setting: KernelSetting): SettingKey {
  switch (setting.kind) {
    case 'timeout':
      return `timeout ${setting.name}` as SettingKey;
    case 'sysctl':
      return `net.ipv4.vs.${setting.name}` as SettingKey;
    case 'sync':
      return `sync ${setting.role}` as SettingKey;
  }
}

/** The value for people: `900s`, `1`, `eth0, id 5, [239.0.0.5]:9000, ttl 2, maxlen 1400`, `off`. */
export function settingText(setting: KernelSetting): string {
  switch (setting.kind) {
    case 'timeout':
      return `${setting.seconds}s`;
    case 'sysctl':
      return setting.value;
    case 'sync': {
      if (setting.daemon === null) return 'off';
      const { interface: name, id, group, port, ttl, maxlen } = setting.daemon;
      const length = maxlen === null ? '' : `, maxlen ${maxlen}`;
      return `${name}, id ${id}, group ${group}, port ${port}, ttl ${ttl}${length}`;
    }
  }
}

/** Whether the kernel has what is wanted. */
export function isInForce(wanted: KernelSetting, actual: KernelSetting): boolean {
  if (wanted.kind !== 'sync' || actual.kind !== 'sync') return settingText(wanted) === settingText(actual);
  const open = wanted.daemon !== null && wanted.daemon.maxlen === null && actual.daemon !== null;
  return settingText(wanted) === settingText(open ? { ...actual, daemon: { ...actual.daemon, maxlen: null } } : actual);
}

/** What the kernel holds; a setting that this kernel does not know is not in it. */
export type SettingsState = ReadonlyMap<SettingKey, KernelSetting>;

export interface IpvsSettings {
  read(): Promise<Result<SettingsState, CodedError>>;
  /** Independent of one another: one that fails does not stop the rest. */
  apply(settings: readonly KernelSetting[]): Promise<ApplyReport<KernelSetting>>;
  close(): Promise<void>;
}

export function stateOf(settings: readonly KernelSetting[]): SettingsState {
  return new Map(settings.map((setting) => [settingKeyOf(setting), setting]));
}
