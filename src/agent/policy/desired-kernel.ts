import type { KernelSetting, SyncDaemon } from '../../ipvs/settings/settings.ts';
import { SYNC_ROLES, TIMEOUT_NAMES } from '../../ipvs/settings/settings.ts';
import { canonicalAddress, familyOf } from '../../model/address.ts';
import { durationMs } from '../../model/duration.ts';
import { IPVS_SYSCTL_NAMES, IPVS_SYSCTLS } from '../../model/ipvs-sysctls.ts';
import type { IpvsSysctl } from '../../model/ipvs-sysctls.ts';
import type { KernelRecord, SyncDaemonRecord } from '../../model/records/kernel.ts';
import type { FieldProblem } from '../../model/validate.ts';
import { finding, WHOLE_SECONDS, within } from './findings.ts';

/** The settings of the kernel that a record asks for. */
export function desiredKernel(record: KernelRecord): readonly KernelSetting[] {
  if (record.restore) return [];
  const settings: KernelSetting[] = [];
  for (const name of TIMEOUT_NAMES) {
    const timeout = record.timeouts[name];
    if (timeout !== undefined) settings.push({ kind: 'timeout', name, seconds: durationMs(timeout) / 1_000 });
  }
  for (const name of IPVS_SYSCTL_NAMES) {
    const { recommended }: IpvsSysctl = IPVS_SYSCTLS[name];
    const value = record.sysctls[name] ?? (record.preset === 'recommended' ? recommended : undefined);
    if (typeof value === 'number' || typeof value === 'string') {
      settings.push({ kind: 'sysctl', name, value: `${value}` });
    }
  }
  for (const role of SYNC_ROLES) {
    const daemon = record.sync[role];
    if (daemon !== null) settings.push({ kind: 'sync', role, daemon: desiredDaemon(daemon) });
  }
  return settings;
}

/** What the schema cannot say. */
export function kernelFaults(record: KernelRecord): FieldProblem[] {
  const faults = TIMEOUT_NAMES.flatMap((name) => {
    const timeout = record.timeouts[name];
    return timeout === undefined ? [] : within(`kernel.timeouts.${name}`, timeout, '1s', '20d', WHOLE_SECONDS);
  });
  for (const role of SYNC_ROLES) {
    const group = record.sync[role]?.group;
    if (group !== undefined && !isMulticast(group)) {
      faults.push(finding(`kernel.sync.${role}.group`, group, 'a multicast group: 224.0.0.0/4 or ff00::/8'));
    }
  }
  const threshold = record.sysctls['sync_threshold'];
  if (typeof threshold === 'string') {
    const [first = 0, period = 0] = threshold.split(' ').map(Number);
    if (period !== 0 && first >= period) {
      faults.push(finding('kernel.sysctls.sync_threshold', threshold, 'a first number below the second: "3 50"'));
    }
  }
  return faults;
}

function desiredDaemon({ interface: name, id, group, port, ttl, maxlen }: SyncDaemonRecord): SyncDaemon {
  return { interface: name, id, group: canonicalAddress(group), port, ttl, maxlen: maxlen ?? null };
}

function isMulticast(text: string): boolean {
  const address = canonicalAddress(text);
  if (familyOf(address) === 'ipv6') return address.startsWith('ff');
  const first = Number(address.split('.')[0]);
  return first >= 224 && first <= 239;
}
