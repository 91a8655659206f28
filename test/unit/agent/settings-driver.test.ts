import { describe, expect, it } from 'vitest';
import { newCounters } from '../../../src/agent/counters.ts';
import { SettingsDriver } from '../../../src/agent/settings-driver.ts';
import { SettingsFile } from '../../../src/agent/settings-file.ts';
import { settingViews } from '../../../src/agent/settings-view.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { err } from '../../../src/core/result.ts';
import { MemorySettings } from '../../../src/ipvs/settings/memory-settings.ts';
import type { IpvsSettings, KernelSetting } from '../../../src/ipvs/settings/settings.ts';
import { settingText } from '../../../src/ipvs/settings/settings.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const VERIFY_MS = 60_000;
const NODEST: KernelSetting = { kind: 'sysctl', name: 'expire_nodest_conn', value: '1' };
const UDP: KernelSetting = { kind: 'timeout', name: 'udp', seconds: 30 };
const MISSING: KernelSetting = { kind: 'sysctl', name: 'est_nice', value: '5' };

/** A kernel and a state directory, which outlive the drivers. */
class Host {
  readonly clock = new ManualClock();
  readonly counters = newCounters();
  readonly log = new RecordingLog();
  readonly stateDir = tempDir();
  readonly kernel: MemorySettings;
  refuse: string | null = null;
  reads = 0;
  sets: string[] = [];
  open: () => Promise<IpvsSettings | null> = () => Promise.resolve(this.#port());

  constructor() {
    this.kernel = new MemorySettings({ missing: ['net.ipv4.vs.est_nice'], disturb: () => this.refuse });
  }

  driver(): SettingsDriver {
    const { clock, counters, log } = this;
    return new SettingsDriver({
      open: () => this.open(),
      file: new SettingsFile(this.stateDir, { clock, log }),
      counters,
      clock,
      log,
    });
  }

  async value(key: string): Promise<string | undefined> {
    const state = await this.kernel.read();
    if (!state.ok) throw state.error;
    const found = [...state.value].find(([each]) => each === key)?.[1];
    return found && settingText(found);
  }

  #port(): IpvsSettings {
    return {
      read: () => {
        this.reads++;
        return this.kernel.read();
      },
      apply: (settings) => {
        this.sets.push(...settings.map((each) => `${each.kind} ${settingText(each)}`));
        return this.kernel.apply(settings);
      },
      close: () => Promise.resolve(),
    };
  }
}

describe('kernel settings', () => {
  it('are not even read while nothing is wanted', async () => {
    const host = new Host();
    const driver = host.driver();
    await driver.follow('ipvs', [], VERIFY_MS);
    await host.clock.advanceAsync(VERIFY_MS);
    await driver.follow('ipvs', [], VERIFY_MS);
    expect(host.reads).toBe(0);
    expect(driver.report().failures).toEqual([]);
  });

  it('are set once, and what was before comes back when the wish is gone, also after a restart', async () => {
    const host = new Host();
    const driver = host.driver();
    await driver.follow('ipvs', [NODEST, UDP], VERIFY_MS);
    await driver.follow('ipvs', [NODEST, UDP], VERIFY_MS);
    expect(host.sets).toEqual(['sysctl 1', 'timeout 30s']);
    expect(host.reads).toBe(1);
    expect(settingViews(driver.report())).toEqual([
      { name: 'net.ipv4.vs.expire_nodest_conn', wanted: '1', actual: '1', before: '0', drifts: 0 },
      { name: 'timeout udp', wanted: '30s', actual: '30s', before: '300s', drifts: 0 },
    ]);
    // The process is gone without a word; the next one knows what was found.
    const next = host.driver();
    await next.follow('ipvs', [NODEST], VERIFY_MS);
    expect(await host.value('timeout udp')).toBe('300s');
    expect(await host.value('net.ipv4.vs.expire_nodest_conn')).toBe('1');
    expect(settingViews(next.report()).map(({ name }) => name)).toEqual(['net.ipv4.vs.expire_nodest_conn']);
    await next.restore();
    expect(await host.value('net.ipv4.vs.expire_nodest_conn')).toBe('0');
    const last = host.driver();
    await last.follow('ipvs', [], VERIFY_MS);
    expect(last.report().found).toEqual({});
    expect(host.sets.length).toBe(4);
  });

  it('that somebody else changes are mended with the next verification, and counted', async () => {
    const host = new Host();
    const driver = host.driver();
    await driver.follow('ipvs', [NODEST], VERIFY_MS);
    await host.kernel.apply([{ ...NODEST, value: '0' }]);
    await driver.follow('ipvs', [NODEST], VERIFY_MS);
    expect(await host.value('net.ipv4.vs.expire_nodest_conn')).toBe('0');
    await host.clock.advanceAsync(VERIFY_MS);
    await driver.follow('ipvs', [NODEST], VERIFY_MS);
    expect(await host.value('net.ipv4.vs.expire_nodest_conn')).toBe('1');
    expect(settingViews(driver.report())[0]?.drifts).toBe(1);
  });

  it('that this kernel lacks or refuses are reported by name; the others are set', async () => {
    const host = new Host();
    const driver = host.driver();
    await driver.follow('ipvs', [MISSING, UDP], VERIFY_MS);
    expect(driver.report().failures).toEqual([expect.stringContaining('this kernel has no net.ipv4.vs.est_nice')]);
    expect(await host.value('timeout udp')).toBe('30s');
    host.refuse = 'EPERM';
    await driver.follow('ipvs', [NODEST], VERIFY_MS);
    expect(driver.report().failures).toContainEqual(expect.stringContaining('CAP_NET_ADMIN'));
    // What was owed is still owed.
    expect(Object.keys(driver.report().found)).toEqual(['net.ipv4.vs.expire_nodest_conn', 'timeout udp']);
    host.refuse = null;
    await host.clock.advanceAsync(VERIFY_MS);
    await driver.follow('ipvs', [NODEST], VERIFY_MS);
    expect(driver.report().failures).toEqual([]);
    expect(await host.value('timeout udp')).toBe('300s');
  });

  it('are owed, and no failure, while a dataplane that has none is in use', async () => {
    const host = new Host();
    await host.driver().follow('ipvs', [UDP], VERIFY_MS);
    const { open } = host;
    host.open = () => Promise.resolve(null);
    const driver = host.driver();
    await driver.follow('nftables', [], VERIFY_MS);
    expect(driver.report().failures).toEqual([]);
    host.open = open;
    await driver.follow('ipvs', [], VERIFY_MS);
    expect(await host.value('timeout udp')).toBe('300s');
  });

  it('of a dataplane that has none, and of a kernel that cannot be read, are a failure only where they are wanted', async () => {
    const host = new Host();
    host.open = () => Promise.resolve(null);
    const driver = host.driver();
    await driver.follow('ipvs', [], VERIFY_MS);
    expect(driver.report().failures).toEqual([]);
    await driver.follow('ipvs', [UDP], VERIFY_MS);
    expect(driver.report().failures).toEqual([expect.stringContaining('none of IPVS with the dataplane ipvs')]);
    const unreadable = new CodedError('NETLINK_UNAVAILABLE', 'no IPVS');
    host.open = () =>
      Promise.resolve({
        read: () => Promise.resolve(err(unreadable)),
        apply: () => Promise.reject(unreadable),
        close: () => Promise.resolve(),
      });
    const next = host.driver();
    await next.follow('ipvs', [UDP], VERIFY_MS);
    expect(next.report().failures).toEqual([expect.stringContaining('no IPVS')]);
    host.open = () => Promise.reject(new Error('no socket'));
    const last = host.driver();
    await last.follow('ipvs', [UDP], VERIFY_MS);
    expect(last.report().failures[0]).toContain('could not be opened');
  });

  it('of a dry run leave nothing behind for a run on the kernel', async () => {
    const host = new Host();
    const driver = host.driver();
    await driver.follow('memory', [UDP], VERIFY_MS);
    await driver.follow('ipvs', [], VERIFY_MS);
    expect(driver.report().found).toEqual({});
    expect(host.sets).toEqual(['timeout 30s']);
  });
});
