import { readFile } from 'node:fs/promises';
import type { Clock, Log } from '../core/ports.ts';
import type { InterfaceAddresses } from './addresses.ts';
import { LinkAnnouncer } from './announce/link-announcer.ts';
import { noNeighbors } from './announce/neighbor-announcer.ts';
import type { NeighborAnnouncer } from './announce/neighbor-announcer.ts';
import { openPacketSocket } from './announce/packet-socket.ts';
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
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE } from './netlink/constants.ts';
import { MemorySettings } from './settings/memory-settings.ts';
import { NetlinkSettings } from './settings/netlink-settings.ts';
import type { IpvsSettings } from './settings/settings.ts';
import { SysctlFiles } from './settings/sysctl-files.ts';
import { socketTransport } from './netlink/socket-transport.ts';

export type DataplaneKind = 'ipvs' | 'ipvsadm' | 'nftables' | 'memory';

export interface DataplaneDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Nothing is asked of the kernel before the first read, so this cannot fail; a read tells whether IPVS is there. */
export function createDataplane(kind: DataplaneKind, deps: DataplaneDeps): Dataplane {
  const { clock, log } = deps;
  switch (kind) {
    case 'ipvs': {
      const open = socketTransport(NETLINK_GENERIC, clock);
      const inner = new KernelDataplane({ ...deps, open, loadModule: modprobe(log) });
      return new ForgettingDataplane({ inner, conntrack: openConntrack(clock), log });
    }
    case 'ipvsadm': {
      const inner = new IpvsadmDataplane({ run: ipvsadmCommand(clock) });
      return new ForgettingDataplane({ inner, conntrack: openConntrack(clock), log });
    }
    case 'nftables': {
      // Rules count connections as they begin; how many go on, and which are to be forgotten, is its business.
      const conntrack = openConntrack(clock);
      const inner = new NftablesDataplane({ run: nftCommand(clock), conntrack, readSetting, log });
      return new ForgettingDataplane({ inner, conntrack, log });
    }
    case 'memory':
      return new MemoryDataplane();
  }
}

function openConntrack(clock: Clock): NetlinkConntrack {
  return new NetlinkConntrack({ open: socketTransport(NETLINK_NETFILTER, clock), clock });
}

async function readSetting(name: string): Promise<string | null> {
  return readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').catch(() => null);
}

/** Packet marks are rules of nf_tables, whatever the dataplane. */
function createPacketMarks(kind: DataplaneKind, { clock }: DataplaneDeps): PacketMarks {
  return kind === 'memory' ? noPacketMarks : new NftPacketMarks({ run: nftCommand(clock) });
}

/** The VIP addresses that go with a dataplane: a dry run leaves the host's interfaces alone as well. */
export function createInterfaceAddresses(kind: DataplaneKind, deps: DataplaneDeps): InterfaceAddresses {
  if (kind === 'memory') return new MemoryInterfaceAddresses();
  return new NetlinkInterfaceAddresses({ ...deps, open: socketTransport(NETLINK_ROUTE, deps.clock) });
}

/** Who tells the neighbours of VIP addresses; in a dry run nobody does. */
export function createNeighborAnnouncer(kind: DataplaneKind, { clock }: DataplaneDeps): NeighborAnnouncer {
  if (kind === 'memory') return noNeighbors;
  return new LinkAnnouncer({ open: socketTransport(NETLINK_ROUTE, clock), openPackets: openPacketSocket, clock });
}

/** All ports to the host but its settings, as one dataplane wants them. */
export function createKernelPorts(kind: DataplaneKind, deps: DataplaneDeps) {
  return {
    dataplane: createDataplane(kind, deps),
    addresses: createInterfaceAddresses(kind, deps),
    neighbors: createNeighborAnnouncer(kind, deps),
    marks: createPacketMarks(kind, deps),
  };
}

/** The settings of IPVS that go with a dataplane; null = it has none, as it is not IPVS. */
export function createSettings(kind: DataplaneKind, deps: DataplaneDeps): Promise<IpvsSettings | null> {
  switch (kind) {
    case 'ipvs': {
      const open = socketTransport(NETLINK_GENERIC, deps.clock);
      return Promise.resolve(new NetlinkSettings({ ...deps, open, sysctls: new SysctlFiles() }));
    }
    case 'ipvsadm':
      return Promise.resolve(new IpvsadmSettings({ run: ipvsadmCommand(deps.clock), sysctls: new SysctlFiles() }));
    case 'nftables':
      return Promise.resolve(null);
    case 'memory':
      return Promise.resolve(new MemorySettings());
  }
}
