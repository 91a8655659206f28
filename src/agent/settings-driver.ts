import { asCodedError, describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { IpvsSettings, KernelSetting, SettingKey, SettingsState } from '../ipvs/settings/settings.ts';
import { settingKeyOf, settingText, stateOf } from '../ipvs/settings/settings.ts';
import type { Counters } from './counters.ts';
import type { DesiredAgent } from './policy/desired-state.ts';
import { planSettings, settingsDrift } from './policy/plan-settings.ts';
import type { SettingsJournal } from './policy/plan-settings.ts';
import type { SettingsFile } from './settings-file.ts';

/** null = this dataplane has no such settings. */
export type OpenSettings = (kind: DesiredAgent['dataplane']) => Promise<IpvsSettings | null>;

/** The driver's part of the status page. */
export interface SettingsReport {
  readonly wanted: readonly KernelSetting[];
  /** As it was read, and set since; null = not known. */
  readonly actual: SettingsState | null;
  /** What is put back when the setting is taken away. */
  readonly found: SettingsJournal;
  /** How often each was found to be changed by somebody else. */
  readonly drifts: ReadonlyMap<SettingKey, number>;
  /** What is not as it should be; empty = everything is. */
  readonly failures: readonly string[];
}

interface SettingsDriverDeps {
  readonly open: OpenSettings;
  readonly file: SettingsFile;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Log;
}

type Kind = DesiredAgent['dataplane'];

/**
 * Brings the settings of the kernel to what is wanted, and puts back what was found where nothing is wanted any more.
 * As long as there is nothing to do, and never was, the kernel is not asked.
 */
export class SettingsDriver {
  readonly #deps: SettingsDriverDeps;
  #port: IpvsSettings | null = null;
  #kind: Kind | null = null;
  #wanted: readonly KernelSetting[] = [];
  #journal: SettingsJournal = {};
  #actual: SettingsState | null = null;
  /** What we set, as the kernel was seen to have it. */
  #set: SettingsState = new Map();
  #readAtMonotonic = -Infinity;
  readonly #drifts = new Map<SettingKey, number>();
  #failures: readonly string[] = [];

  constructor(deps: SettingsDriverDeps) {
    this.#deps = deps;
  }

  report(): SettingsReport {
    return {
      wanted: this.#wanted,
      actual: this.#actual,
      found: this.#journal,
      drifts: this.#drifts,
      failures: this.#failures,
    };
  }

  /**
   * One pass. The kernel is read at the start, when something else is wanted, and when the last reading is older than
   * `maxAgeMs`.
   */
  async follow(kind: Kind, wanted: readonly KernelSetting[], maxAgeMs: number): Promise<void> {
    await this.#use(kind);
    const { clock } = this.#deps;
    const isNew = textOf(wanted) !== textOf(this.#wanted);
    const isDue = clock.monotonic() - this.#readAtMonotonic >= maxAgeMs;
    this.#wanted = wanted;
    if (!isNew && !isDue) return;
    this.#readAtMonotonic = clock.monotonic();
    if (wanted.length === 0 && Object.keys(this.#journal).length === 0) this.#failures = [];
    else this.#failures = await this.#bringAbout(wanted);
    const [first] = this.#failures;
    if (first !== undefined) this.#deps.log.error({ failed: this.#failures.length, first }, 'kernel settings failed');
  }

  /** Milliseconds until the last reading is older than `maxAgeMs`; never while there is nothing to look after. */
  dueMs(maxAgeMs: number): number {
    if (this.#wanted.length === 0 && Object.keys(this.#journal).length === 0) return Infinity;
    return Math.max(0, this.#readAtMonotonic + maxAgeMs - this.#deps.clock.monotonic());
  }

  /** Puts back everything, for a stop that is meant to leave nothing behind. */
  async restore(): Promise<void> {
    if (Object.keys(this.#journal).length > 0) this.#failures = await this.#bringAbout([]);
  }

  async close(): Promise<void> {
    const port = this.#port;
    this.#port = null;
    this.#kind = null;
    await port?.close();
  }

  /** One that cannot be opened is tried again with the next pass. */
  async #use(kind: Kind): Promise<void> {
    if (this.#kind === kind) return;
    await this.close();
    this.#actual = null;
    this.#set = new Map();
    this.#readAtMonotonic = -Infinity;
    // A dry run has found nothing in the kernel.
    this.#journal = kind === 'memory' ? {} : this.#deps.file.load();
    try {
      this.#port = await this.#deps.open(kind);
      this.#kind = kind;
    } catch (error) {
      this.#failures = [`kernel settings: ${describeError(asCodedError(error))}`];
    }
  }

  async #bringAbout(wanted: readonly KernelSetting[]): Promise<readonly string[]> {
    const port = this.#port;
    // What was found before waits for IPVS to be the dataplane again: until then nobody could put it back.
    if (port === null && this.#kind !== null && wanted.length === 0) return [];
    if (port === null)
      return [`kernel settings: there are none of IPVS with the dataplane ${this.#kind ?? 'that could not be opened'}`];
    const read = await port.read();
    if (!read.ok) {
      this.#actual = null;
      return [`kernel settings cannot be read: ${describeError(read.error)}`];
    }
    this.#noteDrift(read.value);
    this.#actual = read.value;
    const plan = planSettings({ wanted, actual: read.value, journal: this.#journal });
    const failures = plan.missing.map((setting) => `this kernel has no ${settingKeyOf(setting)}: ${MISSING_ADVICE}`);
    const unwritten = this.#remember(plan.journal);
    if (unwritten !== null) return [...failures, unwritten];
    if (plan.ops.length > 0) failures.push(...(await this.#apply(port, plan.ops, read.value)));
    // What was put back is nothing that we owe any more.
    const settled = planSettings({ wanted, actual: this.#actual, journal: this.#journal });
    const unsettled = this.#remember(settled.journal);
    if (unsettled !== null) failures.push(unsettled);
    this.#set = stateOf(wanted.filter((each) => !settled.ops.includes(each) && !settled.missing.includes(each)));
    return failures;
  }

  async #apply(port: IpvsSettings, ops: readonly KernelSetting[], before: SettingsState): Promise<readonly string[]> {
    const { counters, log } = this.#deps;
    const { applied, failed, lost } = await port.apply(ops);
    counters.operations += applied.length;
    counters.refusals += failed.length;
    this.#actual = new Map([...before, ...stateOf(applied)]);
    const set = applied.map((setting) => `${settingKeyOf(setting)}: ${settingText(setting)}`);
    if (set.length > 0) log.info({ set }, 'set kernel settings');
    const failures = failed.map(({ error }) => error.message);
    return lost === null ? failures : [...failures, `replies were lost: ${lost.message}`];
  }

  #noteDrift(actual: SettingsState): void {
    const drifted = settingsDrift(this.#set, actual);
    if (drifted.length === 0) return;
    for (const key of drifted) this.#drifts.set(key, (this.#drifts.get(key) ?? 0) + 1);
    this.#deps.log.warn({ settings: drifted }, 'somebody else changed kernel settings of ours: mending them');
  }

  /** What was found must be on disk before it is changed. @returns why it could not be written */
  #remember(journal: SettingsJournal): string | null {
    if (journal === this.#journal) return null;
    try {
      if (this.#kind !== 'memory') this.#deps.file.save(journal);
    } catch (error) {
      return `what the kernel settings were cannot be written down, so they are left: ${describeError(error)}`;
    }
    this.#journal = journal;
    return null;
  }
}

const MISSING_ADVICE = 'it is older or newer, or was built without it; take the setting out of the record';

function textOf(settings: readonly KernelSetting[]): string {
  return settings.map((setting) => `${settingKeyOf(setting)} ${settingText(setting)}`).join('\n');
}
