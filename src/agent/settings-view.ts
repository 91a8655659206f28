import type { SettingView } from '../model/status.ts';
import type { KernelSetting } from '../ipvs/settings/settings.ts';
import { settingKeyOf, settingText, stateOf } from '../ipvs/settings/settings.ts';
import type { SettingsReport } from './settings-driver.ts';

/** Pure: the settings that are ours, and those that are owed back. */
export function settingViews({ wanted, actual, found, drifts }: SettingsReport): SettingView[] {
  const wishes = stateOf(wanted);
  const before = stateOf(Object.values(found));
  const text = (setting: KernelSetting | undefined): string | null =>
    setting === undefined ? null : settingText(setting);
  const owed = Object.values(found).filter((setting) => !wishes.has(settingKeyOf(setting)));
  return [...wanted, ...owed].map((setting) => {
    const key = settingKeyOf(setting);
    return {
      name: key,
      wanted: text(wishes.get(key)),
      actual: text(actual?.get(key)),
      before: text(before.get(key)),
      drifts: drifts.get(key) ?? 0,
    };
  });
}
