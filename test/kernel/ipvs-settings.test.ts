import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newCounters } from '../../src/agent/counters.ts';
import { SettingsDriver } from '../../src/agent/settings-driver.ts';
import { SettingsFile } from '../../src/agent/settings-file.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createSettings } from '../../src/ipvs/create-dataplane.ts';
import { settingText } from '../../src/ipvs/settings/settings.ts';
import type { KernelSetting, SyncDaemon } from '../../src/ipvs/settings/settings.ts';
import { IPVS_SYSCTL_NAMES } from '../../src/model/ipvs-sysctls.ts';
import { address } from '../contract/dataplane-samples.ts';
import { tempDir } from '../fakes/temp-dir.ts';

const run = promisify(execFile);
const deps = { clock: systemClock, log: silentLog };

const master = (changes: Partial<SyncDaemon> = {}): KernelSetting => {
  const daemon = { interface: 'sync0', id: 5, group: address('239.0.0.5'), port: 9_000, ttl: 2, maxlen: 1_400 };
  return { kind: 'sync', role: 'master', daemon: { ...daemon, ...changes } };
};
const BACKUP: KernelSetting = {
  kind: 'sync',
  role: 'backup',
  daemon: { interface: 'sync0', id: 6, group: address('224.0.0.81'), port: 8_848, ttl: 1, maxlen: null },
};
const TIMEOUTS: readonly KernelSetting[] = [
  { kind: 'timeout', name: 'tcp', seconds: 901 },
  { kind: 'timeout', name: 'tcpfin', seconds: 121 },
];
const NODEST: KernelSetting = { kind: 'sysctl', name: 'expire_nodest_conn', value: '1' };
const THRESHOLD: KernelSetting = { kind: 'sysctl', name: 'sync_threshold', value: '4 60' };

/** What ipvsadm says, independently. */
async function shown(what: '--timeout' | '--daemon'): Promise<string> {
  return (await run('ipvsadm', ['--list', what])).stdout.trim();
}

function onDisk(name: string): string {
  return readFileSync(`/proc/sys/net/ipv4/vs/${name}`, 'utf8').trim();
}

describe.each(['ipvs', 'ipvsadm'] as const)('settings in the kernel: %s', (kind) => {
  beforeAll(async () => {
    // Reals of mixed families that other tests left behind would forbid the sync daemon.
    await run('ipvsadm', ['--clear']);
    await run('ip', ['link', 'add', 'sync0', 'type', 'dummy']);
    await run('ip', ['address', 'add', '10.77.0.1/24', 'dev', 'sync0']);
    await run('ip', ['link', 'set', 'sync0', 'up']);
    await run('ipvsadm', ['--set', '900', '120', '300']);
  });
  afterAll(async () => {
    await run('ip', ['link', 'delete', 'sync0']);
  });

  it('are what ipvsadm shows, change in place, and come back with the next run of the agent', async () => {
    const stateDir = tempDir();
    const driver = () =>
      new SettingsDriver({
        open: () => createSettings(kind, deps),
        file: new SettingsFile(stateDir, deps),
        counters: newCounters(),
        ...deps,
      });
    const first = driver();
    await first.follow(kind, [...TIMEOUTS, NODEST, THRESHOLD, master(), BACKUP], 60_000);
    expect(first.report().failures).toEqual([]);
    expect(await shown('--timeout')).toBe('Timeout (tcp tcpfin udp): 901 121 300');
    expect(await shown('--daemon')).toBe(
      [
        'master sync daemon (mcast=sync0, syncid=5, maxlen=1400, group=239.0.0.5, port=9000, ttl=2)',
        'backup sync daemon (mcast=sync0, syncid=6, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)',
      ].join('\n'),
    );
    expect([onDisk('expire_nodest_conn'), onDisk('sync_threshold')]).toEqual(['1', '4\t60']);
    await first.follow(kind, [...TIMEOUTS, NODEST, master({ id: 9 })], 60_000);
    expect(first.report().failures).toEqual([]);
    expect(await shown('--daemon')).toBe(
      'master sync daemon (mcast=sync0, syncid=9, maxlen=1400, group=239.0.0.5, port=9000, ttl=2)',
    );
    expect(onDisk('sync_threshold')).toBe('3\t50');
    // The process dies here, and leaves its socket to the garbage collector.
    await first.close();

    const second = driver();
    await second.follow(kind, [], 60_000);
    expect(second.report()).toMatchObject({ failures: [], found: {} });
    expect(await shown('--timeout')).toBe('Timeout (tcp tcpfin udp): 900 120 300');
    expect(await shown('--daemon')).toBe('');
    expect(onDisk('expire_nodest_conn')).toBe('0');
    await second.close();
  });

  it('are refused with what is missing', async () => {
    const settings = await createSettings(kind, deps);
    const report = await settings?.apply([
      master({ interface: 'nosuch0' }),
      { kind: 'sysctl', name: 'drop_packet', value: '9' },
      { kind: 'timeout', name: 'udp', seconds: 300 },
    ]);
    expect(report?.applied.map(settingText)).toEqual(['300s']);
    expect(report?.failed.map(({ error }) => error.message)).toEqual([
      expect.stringContaining('there is no interface nosuch0'),
      expect.stringContaining('EINVAL'),
    ]);
    const state = await settings?.read();
    // est_cpulist and est_nice came with Linux 6.2.
    const known = state?.ok === true ? [...state.value.values()].filter((each) => each.kind === 'sysctl').length : 0;
    expect(known).toBeGreaterThanOrEqual(IPVS_SYSCTL_NAMES.length - 2);
    await settings?.close();
  });
});
