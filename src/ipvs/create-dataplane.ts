import { readFile } from 'node:fs/promises';
import type { Clock, Log } from '../core/ports.ts';
import type { InterfaceAddresses } from './addresses.ts';
import { ForgettingDataplane } from './conntrack/forgetting-dataplane.ts';
import { NetlinkConntrack } from './conntrack/netlink-conntrack.ts';
import type { Dataplane } from './dataplane.ts';
import { NetlinkInterfaceAddresses } from './interface-addresses.ts';
import { ipvsadmCommand } from './ipvsadm/command.ts';
import { IpvsadmDataplane } from './ipvsadm/ipvsadm-dataplane.ts';
import { IpvsadmSettings } from './ipvsadm/ipvsadm-settings.ts';
import { KernelDataplane } from './kernel-dataplane.ts';
import { modprobe } from './kernel-modules.ts';
import { MemoryDataplane } from './memory-dataplane.ts';
import { MemoryInterfaceAddresses } from './memory-interface-addresses.ts';
import { NftPacketMarks } from './nftables/marks.ts';
import { nftCommand } from './nftables/nft-command.ts';
import { NftablesDataplane } from './nftables/nftables-dataplane.ts';
import { noPacketMarks } from './packet-marks.ts';
import type { PacketMarks } from './packet-marks.ts';
import { chooseTransport } from './netlink/choose-transport.ts';
import type { Transports } from './netlink/choose-transport.ts';
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE } from './netlink/constants.ts';
import { MemorySettings } from './settings/memory-settings.ts';
import { NetlinkSettings } from './settings/netlink-settings.ts';
import type { IpvsSettings } from './settings/settings.ts';
import { SysctlFiles } from './settings/sysctl-files.ts';

export type DataplaneKind = 'ipvs' | 'ipvsadm' | 'nftables' | 'memory';

export interface DataplaneDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Nothing is asked of the kernel before the first read, so this cannot fail; a read tells whether IPVS is there. */
export async function createDataplane(kind: DataplaneKind, deps: DataplaneDeps): Promise<Dataplane> {
  switch (kind) {
    case 'ipvs': {
      const transports = await chooseTransport(deps);
      const open = transports.open(NETLINK_GENERIC);
      return forgetting(new KernelDataplane({ ...deps, open, loadModule: modprobe(deps.log) }), transports, deps);
    }
    case 'ipvsadm':
      return forgetting(new IpvsadmDataplane({ run: ipvsadmCommand(deps.clock) }), await chooseTransport(deps), deps);
    case 'nftables':
      return createNftables(deps);
    case 'memory':
      return new MemoryDataplane();
  }
}

/** Rules count connections as they begin; how many go on, and which are to be forgotten, is connection tracking's. */
async function createNftables(deps: DataplaneDeps): Promise<Dataplane> {
  const transports = await chooseTransport(deps);
  const conntrack = new NetlinkConntrack({ open: transports.open(NETLINK_NETFILTER), clock: deps.clock });
  const inner = new NftablesDataplane({ run: nftCommand(deps.clock), conntrack, readSetting, log: deps.log });
  return new ForgettingDataplane({ inner, conntrack, log: deps.log });
}

function forgetting(inner: Dataplane, transports: Transports, { clock, log }: DataplaneDeps): Dataplane {
  const conntrack = new NetlinkConntrack({ open: transports.open(NETLINK_NETFILTER), clock });
  return new ForgettingDataplane({ inner, conntrack, log });
}

async function readSetting(name: string): Promise<string | null> {
  return readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').catch(() => null);
}

/** Packet marks are rules of nf_tables, whatever the dataplane. */
export function createPacketMarks(kind: DataplaneKind, { clock }: DataplaneDeps): PacketMarks {
  return kind === 'memory' ? noPacketMarks : new NftPacketMarks({ run: nftCommand(clock) });
}

/** The VIP addresses that go with a dataplane: a dry run leaves the host's interfaces alone as well. */
export async function createInterfaceAddresses(kind: DataplaneKind, deps: DataplaneDeps): Promise<InterfaceAddresses> {
  if (kind === 'memory') return new MemoryInterfaceAddresses();
  const transports = await chooseTransport(deps);
  return new NetlinkInterfaceAddresses({ ...deps, open: transports.open(NETLINK_ROUTE) });
}

/** The settings of IPVS that go with a dataplane; null = it has none, as it is not IPVS. */
export async function createSettings(kind: DataplaneKind, deps: DataplaneDeps): Promise<IpvsSettings | null> {
  switch (kind) {
    case 'ipvs': {
      const transports = await chooseTransport(deps);
      return new NetlinkSettings({ ...deps, open: transports.open(NETLINK_GENERIC), sysctls: new SysctlFiles() });
    }
    case 'ipvsadm':
      return new IpvsadmSettings({ run: ipvsadmCommand(deps.clock), sysctls: new SysctlFiles() });
    case 'nftables':
      return null;
    case 'memory':
      return new MemorySettings();
  }
}
