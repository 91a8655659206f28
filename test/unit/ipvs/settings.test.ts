import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/core/bytes.ts';
import { err, ok } from '../../../src/core/result.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { IpvsadmSettings } from '../../../src/ipvs/ipvsadm/ipvsadm-settings.ts';
import { readMessages, writeMessage } from '../../../src/ipvs/netlink/message.ts';
import type { NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { readDaemon, readTimeouts, SettingsRequests } from '../../../src/ipvs/settings/messages.ts';
import { NetlinkSettings } from '../../../src/ipvs/settings/netlink-settings.ts';
import { settingKeyOf, settingText } from '../../../src/ipvs/settings/settings.ts';
import type { KernelSetting, SettingKey, SyncDaemon } from '../../../src/ipvs/settings/settings.ts';
import type { Sysctls } from '../../../src/ipvs/settings/sysctl-files.ts';
import { address } from '../../contract/dataplane-samples.ts';
import { fromHex, toHex } from '../../fakes/hex.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { acknowledgement, done, FakeNetlink, netlinkMessage } from '../../fakes/netlink-kernel.ts';
import { CAPTURED_FAMILY_ID, RESOLVE_FAMILY } from '../../vectors/ipvs-captures.ts';
import { SETTINGS_CAPTURES, SETTINGS_OUTPUT } from '../../vectors/ipvs-settings-captures.ts';

const NLM_F_REQUEST_ACK = 0x05;
const requests = new SettingsRequests(CAPTURED_FAMILY_ID);

const MASTER: SyncDaemon = {
  interface: 'eth0',
  id: 5,
  group: address('239.0.0.5'),
  port: 9_000,
  ttl: 2,
  maxlen: 1_400,
};
const BACKUP: SyncDaemon = {
  interface: 'eth0',
  id: 6,
  group: address('224.0.0.81'),
  port: 8_848,
  ttl: 1,
  maxlen: 1_472,
};

function capture(command: string) {
  const found = SETTINGS_CAPTURES.find((each) => each.command.startsWith(command));
  if (found === undefined) throw new Error(`no capture of ${command}`);
  return found;
}

/** ipvsadm's message, with its sequence and port numbers put to zero. */
function sentBy(command: string): string {
  const [hex = ''] = capture(command).sent;
  return `${hex.slice(0, 16)}${'0'.repeat(16)}${hex.slice(32)}`;
}

function encoded(request: NetlinkRequest): string {
  const writer = new ByteWriter();
  writeMessage(writer, request, NLM_F_REQUEST_ACK, 0);
  return toHex(writer.finish());
}

/** The attributes of a message as a set: an order of their own is nobody's business, as the kernel has none. */
function attributes(hex: string): string[] {
  const found: string[] = [];
  for (let at = 48; at < hex.length;) {
    const length = Number.parseInt(hex.slice(at + 2, at + 4) + hex.slice(at, at + 2), 16);
    const padded = Math.ceil(length / 4) * 8;
    found.push(hex.slice(at, at + padded));
    at += padded;
  }
  return found.sort();
}

function messagesOf(command: string) {
  return capture(command)
    .received.flatMap((hex) => [...readMessages(fromHex(hex))])
    .filter(({ type }) => type === CAPTURED_FAMILY_ID);
}

describe('settings on the wire', () => {
  it('are set and asked for with the bytes of ipvsadm', () => {
    expect(encoded(requests.setTimeouts({ tcp: 901, tcpfin: 121, udp: 301 }))).toBe(sentBy('--set 901'));
    expect(encoded(requests.timeouts())).toBe(sentBy('--list --timeout'));
  });

  it('start daemons with the attributes of ipvsadm', () => {
    const ours = encoded(requests.startDaemon('master', MASTER));
    const theirs = sentBy('--start-daemon master --mcast-interface eth0');
    expect(ours.slice(0, 48)).toBe(theirs.slice(0, 48));
    expect(attributes(ours)).toEqual(attributes(theirs));
    expect(attributes(ours).length).toBe(7);
    const stop = encoded(requests.stopDaemon('master'));
    expect(attributes(stop)).toEqual(['0800010001000000']);
    expect(attributes(sentBy('--stop-daemon master'))).toContain('0800010001000000');
  });

  it('are read as the kernel tells them', () => {
    expect(messagesOf('--list --timeout').map(({ payload }) => readTimeouts(payload))).toEqual([
      { tcp: 901, tcpfin: 121, udp: 301 },
    ]);
    expect(messagesOf('--list --daemon').map(({ payload }) => readDaemon(payload))).toEqual([
      { kind: 'sync', role: 'master', daemon: MASTER },
      { kind: 'sync', role: 'backup', daemon: BACKUP },
    ]);
  });
});

class FakeSysctls implements Sysctls {
  readonly values = new Map([['net.ipv4.vs.conntrack', '0']]);
  read(name: string): string | null {
    return this.values.get(name) ?? null;
  }
  write(name: string, value: string) {
    if (!this.values.has(name)) return err(new CodedError('SYSCTL_REFUSED', `${name}: ENOENT`));
    this.values.set(name, value);
    return ok(null);
  }
}

/** A kernel with the captured settings, that refuses the command numbers in `refuse`. */
function kernelWithSettings(refuse: Readonly<Record<number, number>> = {}) {
  const commands: number[] = [];
  const kernel = new FakeNetlink((messages, socket) => {
    for (const message of messages) {
      if (message.type === 0x10) {
        for (const hex of RESOLVE_FAMILY.received) {
          const bytes = fromHex(hex);
          new DataView(bytes.buffer).setUint32(8, message.sequence, true);
          socket.deliver(bytes);
        }
        continue;
      }
      const command = message.payload[0] ?? 0;
      commands.push(command);
      const answers =
        command === 13 ? messagesOf('--list --timeout') : command === 11 ? messagesOf('--list --daemon') : [];
      for (const { payload } of answers) {
        socket.deliver(netlinkMessage(message.type, 0, message.sequence, payload.bytes(payload.remaining)));
      }
      socket.deliver(command === 11 ? done(message) : acknowledgement(message, refuse[command] ?? 0));
    }
  });
  const sysctls = new FakeSysctls();
  return { commands, sysctls, settings: new NetlinkSettings({ open: kernel.open, clock: new ManualClock(), sysctls }) };
}

const STOPPED: KernelSetting = { kind: 'sync', role: 'backup', daemon: null };
const SYNC: KernelSetting = { kind: 'sync', role: 'backup', daemon: BACKUP };
const TIMEOUT: KernelSetting = { kind: 'timeout', name: 'udp', seconds: 60 };
const SYSCTL: KernelSetting = { kind: 'sysctl', name: 'conntrack', value: '1' };
const UNKNOWN: KernelSetting = { kind: 'sysctl', name: 'est_nice', value: '1' };

describe('settings over netlink', () => {
  it('are read together', async () => {
    const state = await kernelWithSettings().settings.read();
    if (!state.ok) throw state.error;
    expect(Object.fromEntries(Array.from(state.value, ([key, setting]) => [key, settingText(setting)]))).toEqual({
      'timeout tcp': '901s',
      'timeout tcpfin': '121s',
      'timeout udp': '301s',
      'sync master': 'eth0, id 5, group 239.0.0.5, port 9000, ttl 2, maxlen 1400',
      'sync backup': 'eth0, id 6, group 224.0.0.81, port 8848, ttl 1, maxlen 1472',
      'net.ipv4.vs.conntrack': '0',
    });
  });

  it('are set one by one: a daemon is stopped first, and one that did not run is no failure', async () => {
    const { settings, commands, sysctls } = kernelWithSettings({ 10: 3 });
    const report = await settings.apply([TIMEOUT, SYNC, STOPPED, SYSCTL]);
    expect(report).toEqual({ applied: [TIMEOUT, SYNC, STOPPED, SYSCTL], failed: [], lost: null });
    expect(commands).toEqual([12, 10, 9, 10]);
    expect(sysctls.read('net.ipv4.vs.conntrack')).toBe('1');
  });

  it('fail by themselves, with what to do', async () => {
    const { settings } = kernelWithSettings({ 9: 19 });
    const report = await settings.apply([SYNC, UNKNOWN, TIMEOUT]);
    expect(report.applied).toEqual([TIMEOUT]);
    expect(report.failed.map(({ error }) => error.message)).toEqual([
      expect.stringContaining('ENODEV, there is no interface eth0'),
      expect.stringContaining('est_nice'),
    ]);
  });
});

/** ipvsadm as it was seen in the session of the captures. */
function ipvsadm() {
  const ran: string[] = [];
  const run = (args: readonly string[]) => {
    const command = args.join(' ');
    ran.push(command);
    const good = Object.entries(SETTINGS_OUTPUT).find(([start]) => command.startsWith(start));
    const failing = good !== undefined && !command.startsWith('--list');
    const stdout = good === undefined || failing ? '' : good[1];
    return Promise.resolve(ok({ status: failing ? 255 : 0, stdout, stderr: failing ? good[1].trim() : '' }));
  };
  return { ran, settings: new IpvsadmSettings({ run, sysctls: new FakeSysctls() }) };
}

describe('settings by ipvsadm', () => {
  it('are read as netlink reads them', async () => {
    const [ours, theirs] = [await ipvsadm().settings.read(), await kernelWithSettings().settings.read()];
    if (!ours.ok || !theirs.ok) throw new Error('not read');
    expect(new Map(ours.value)).toEqual(new Map(theirs.value));
    expect(ours.value.get('sync master' as SettingKey)).toEqual({ kind: 'sync', role: 'master', daemon: MASTER });
  });

  it('are set by words that leave the other timeouts alone', async () => {
    const { settings, ran } = ipvsadm();
    const master: KernelSetting = { kind: 'sync', role: 'master', daemon: { ...MASTER, interface: 'nosuch0' } };
    const report = await settings.apply([TIMEOUT, SYNC, STOPPED, master]);
    expect(ran).toEqual([
      '--set 0 0 60',
      '--stop-daemon backup',
      '--start-daemon backup --mcast-interface eth0 --syncid 6 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1 --sync-maxlen 1472',
      '--stop-daemon backup',
      '--stop-daemon master',
      '--start-daemon master --mcast-interface nosuch0 --syncid 5 --mcast-group 239.0.0.5 --mcast-port 9000 --mcast-ttl 2 --sync-maxlen 1400',
    ]);
    expect(report.applied.map(settingKeyOf)).toEqual(['timeout udp', 'sync backup', 'sync backup']);
    expect(report.failed.map(({ error }) => error.message)).toEqual([expect.stringContaining('no interface nosuch0')]);
  });
});
