import type { CodedError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';
import type { ApplyReport, FailedOp } from '../dataplane.ts';
import { KernelRefusal } from '../kernel-refusal.ts';
import { errnoMeaning } from '../netlink/errno.ts';
import { settingKeyOf, settingText } from './settings.ts';
import type { KernelSetting } from './settings.ts';

/** Gathers what becomes of settings. */
export class SettingsReport {
  readonly #applied: KernelSetting[] = [];
  readonly #failed: FailedOp<KernelSetting>[] = [];

  applied(setting: KernelSetting): void {
    this.#applied.push(setting);
  }

  note(setting: KernelSetting, outcome: Result<null, CodedError>): void {
    if (outcome.ok) this.#applied.push(setting);
    else this.#failed.push({ op: setting, error: outcome.error });
  }

  /** @param text the kernel's or ipvsadm's own words, if it had any */
  refused(
    setting: KernelSetting,
    errno: string,
    text: string | null = null,
    code: 'NETLINK_REFUSED' | 'IPVSADM_FAILED' = 'NETLINK_REFUSED',
  ): void {
    // Stopping what does not run is what was wanted.
    if (errno === 'ESRCH' && setting.kind === 'sync' && setting.daemon === null) {
      this.applied(setting);
      return;
    }
    const words = text === null ? '' : ` (${text})`;
    const message = `could not set ${settingKeyOf(setting)} to ${settingText(setting)}: ${errno}, ${adviceFor(setting, errno)}${words}`;
    this.#failed.push({ op: setting, error: new KernelRefusal(errno, message, { code }) });
  }

  finish(lost: CodedError | null = null): ApplyReport<KernelSetting> {
    return { applied: this.#applied, failed: this.#failed, lost };
  }
}

function adviceFor(setting: KernelSetting, errno: string): string {
  if (errno === 'EPERM') return 'the agent needs CAP_NET_ADMIN in this network namespace';
  if (setting.kind !== 'sync' || setting.daemon === null) return errnoMeaning(errno);
  switch (errno) {
    case 'ENODEV':
      return `there is no interface ${setting.daemon.interface}, or it is down`;
    case 'EEXIST':
      return 'somebody else has just started one';
    case 'EINVAL':
      return 'the kernel synchronises no table in which the families of VIPs and reals are mixed, or the group is no multicast address';
    case 'EADDRNOTAVAIL':
      return `${setting.daemon.interface} has no address of the family of the group`;
    default:
      return errnoMeaning(errno);
  }
}
