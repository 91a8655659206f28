import type { KernelSetting, SettingKey, SettingsState } from '../../ipvs/settings/settings.ts';
import { isInForce, settingKeyOf } from '../../ipvs/settings/settings.ts';
import { named } from './desired-state.ts';
import type { Named } from './desired-state.ts';

/** What was found before the first change, by SettingKey. Written before the kernel is changed; plain data. */
export type SettingsJournal = Named<KernelSetting>;

export interface SettingsPlanInput {
  readonly wanted: readonly KernelSetting[];
  readonly actual: SettingsState;
  readonly journal: SettingsJournal;
}

export interface SettingsPlan {
  readonly ops: readonly KernelSetting[];
  /** To be on disk before the first operation; the same object if nothing changed. */
  readonly journal: SettingsJournal;
  /** Wanted, and unknown to this kernel. */
  readonly missing: readonly KernelSetting[];
}

/**
 * What to set, and what to put back: a setting that is in the journal and no longer wanted gets the value that was
 * found, and leaves the journal once the kernel says that it has it.
 */
export function planSettings({ wanted, actual, journal }: SettingsPlanInput): SettingsPlan {
  const ops: KernelSetting[] = [];
  const missing: KernelSetting[] = [];
  const entries: [SettingKey, KernelSetting][] = [];
  const keys = new Set<string>();
  for (const setting of wanted) {
    const key = settingKeyOf(setting);
    keys.add(key);
    const there = actual.get(key);
    if (there === undefined) {
      missing.push(setting);
      continue;
    }
    entries.push([key, named(journal, key) ?? there]);
    if (!isInForce(setting, there)) ops.push(setting);
  }
  for (const before of Object.values(journal)) {
    const key = settingKeyOf(before);
    const there = actual.get(key);
    if (keys.has(key) || there === undefined || isInForce(before, there)) continue;
    entries.push([key, before]);
    ops.push(before);
  }
  return { ops, missing, journal: sameKeys(journal, entries) ? journal : Object.fromEntries(entries) };
}

/** What somebody else changed of what we had set. */
export function settingsDrift(set: SettingsState, actual: SettingsState): SettingKey[] {
  const found: SettingKey[] = [];
  for (const [key, ours] of set) {
    const there = actual.get(key);
    if (there !== undefined && !isInForce(ours, there)) found.push(key);
  }
  return found;
}

/** Entries never change while they are there: what was found first is what is put back. */
function sameKeys(journal: SettingsJournal, entries: readonly (readonly [SettingKey, KernelSetting])[]): boolean {
  return Object.keys(journal).length === entries.length && entries.every(([key]) => Object.hasOwn(journal, key));
}
