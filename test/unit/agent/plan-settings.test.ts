import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planSettings, settingsDrift } from '../../../src/agent/policy/plan-settings.ts';
import type { SettingsJournal } from '../../../src/agent/policy/plan-settings.ts';
import { isInForce, settingKeyOf, stateOf } from '../../../src/ipvs/settings/settings.ts';
import type { KernelSetting, SettingsState, SyncDaemon } from '../../../src/ipvs/settings/settings.ts';
import { address } from '../../contract/dataplane-samples.ts';
import { runs } from '../../fakes/property.ts';

const daemon = (id: number, maxlen: number | null): SyncDaemon => {
  return { interface: 'eth0', id, group: address('224.0.0.81'), port: 8_848, ttl: 1, maxlen };
};
const timeout = (name: 'tcp' | 'udp', seconds: number): KernelSetting => ({ kind: 'timeout', name, seconds });
const sysctl = (name: 'conntrack' | 'est_nice', value: string): KernelSetting => ({ kind: 'sysctl', name, value });
const sync = (to: SyncDaemon | null): KernelSetting => ({ kind: 'sync', role: 'master', daemon: to });

const value = fc.integer({ min: 1, max: 3 });
const WISHES: readonly fc.Arbitrary<KernelSetting>[] = [
  value.map((seconds) => timeout('tcp', seconds)),
  value.map((seconds) => timeout('udp', seconds)),
  value.map((number) => sysctl('conntrack', String(number))),
  // This kernel has no such setting.
  value.map((number) => sysctl('est_nice', String(number))),
  fc.tuple(value, fc.option(fc.constant(1_400))).map(([id, maxlen]) => sync(daemon(id, maxlen))),
];
const wishes = fc
  .tuple(...WISHES.map((each) => fc.option(each)))
  .map((all) => all.filter((each): each is KernelSetting => each !== null));

const KERNEL: SettingsState = stateOf([timeout('tcp', 900), timeout('udp', 300), sysctl('conntrack', '0'), sync(null)]);

/** The kernel after it took the settings; it always tells a length. */
function after(state: SettingsState, ops: readonly KernelSetting[]): SettingsState {
  const told = ops.map((op) =>
    op.kind === 'sync' && op.daemon !== null ? sync({ ...op.daemon, maxlen: op.daemon.maxlen ?? 1_472 }) : op,
  );
  return new Map([...state, ...stateOf(told)]);
}

describe('a plan of settings', () => {
  it('brings about any series of wishes, whatever others do and wherever it is cut, and then puts back what was', () => {
    const step = fc.record({ wanted: wishes, outsider: fc.option(wishes), cutAfter: fc.option(fc.nat(4)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        let state = KERNEL;
        let journal: SettingsJournal = {};
        const known = (settings: readonly KernelSetting[]) => settings.filter((each) => KERNEL.has(settingKeyOf(each)));
        const pass = (wanted: readonly KernelSetting[], cut = Infinity): void => {
          const plan = planSettings({ wanted, actual: state, journal });
          // On disk before the kernel is changed: everything that is about to change is in it.
          journal = plan.journal;
          for (const op of plan.ops) expect(journal).toHaveProperty([settingKeyOf(op)]);
          state = after(state, plan.ops.slice(0, cut));
        };
        for (const { wanted, outsider, cutAfter } of steps) {
          pass(wanted, cutAfter ?? Infinity);
          pass(wanted);
          for (const each of known(wanted))
            expect(isInForce(each, state.get(settingKeyOf(each)) ?? sync(null))).toBe(true);
          // What is done is done: no message, and nothing to write down.
          const again = planSettings({ wanted, actual: state, journal });
          expect(again.ops).toEqual([]);
          expect(again.missing).toEqual(wanted.filter((each) => !KERNEL.has(settingKeyOf(each))));
          // Others touch only what is ours, or it would be what is found.
          const touched = known(outsider ?? []).filter((each) => Object.hasOwn(journal, settingKeyOf(each)));
          state = after(state, touched);
        }
        pass([]);
        expect(state).toEqual(KERNEL);
        expect(planSettings({ wanted: [], actual: state, journal })).toMatchObject({ ops: [], journal: {} });
      }),
      runs(200),
    );
  });

  it('keeps the journal as it is while nothing changes', () => {
    const wanted = [timeout('tcp', 60)];
    const { journal } = planSettings({ wanted, actual: KERNEL, journal: {} });
    expect(journal).toEqual({ 'timeout tcp': timeout('tcp', 900) });
    expect(planSettings({ wanted, actual: after(KERNEL, wanted), journal }).journal).toBe(journal);
  });

  it('knows what somebody else changed', () => {
    const set = stateOf([timeout('tcp', 60), sync(daemon(1, null))]);
    expect(settingsDrift(set, after(KERNEL, [timeout('tcp', 60), sync(daemon(1, null))]))).toEqual([]);
    expect(settingsDrift(set, KERNEL)).toEqual(['timeout tcp', 'sync master']);
  });
});
