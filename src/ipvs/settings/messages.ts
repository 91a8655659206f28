import type { ByteReader } from '../../core/bytes.ts';
import { addressBytes, addressFromBytes, familyOf } from '../../model/address.ts';
import { nameIn } from '../attributes.ts';
import { readTable, required, writeTable } from '../netlink/attribute-table.ts';
import type { AttributeTable, AttributeValues } from '../netlink/attribute-table.ts';
import { GENL_HEADER_LENGTH, writeGenericHeader } from '../netlink/family.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import { IPVS_VERSION } from '../attributes.ts';
import type { KernelSetting, SyncDaemon, SyncRole } from './settings.ts';

/*
 * The commands of the family IPVS that are about no service (include/uapi/linux/ip_vs.h, IPVS_CMD_*):
 *
 *   nlmsghdr | genlmsghdr | IPVS_CMD_ATTR_DAEMON { … } | IPVS_CMD_ATTR_TIMEOUT_*
 */
const COMMAND = { newDaemon: 9, deleteDaemon: 10, getDaemon: 11, setConfig: 12, getConfig: 13 } as const;

/** IPVS_DAEMON_ATTR_* */
const DAEMON = {
  state: { id: 1, type: 'u32' },
  interface: { id: 2, type: 'string' },
  id: { id: 3, type: 'u32' },
  maxlen: { id: 4, type: 'u16' },
  group: { id: 5, type: 'bytes' },
  group6: { id: 6, type: 'bytes' },
  /** Host order, unlike every other port. */
  port: { id: 7, type: 'u16' },
  ttl: { id: 8, type: 'u8' },
} as const satisfies AttributeTable;

/** IPVS_CMD_ATTR_* */
const SETTINGS = {
  daemon: { id: 3, type: 'nested', table: DAEMON },
  tcp: { id: 4, type: 'u32' },
  tcpfin: { id: 5, type: 'u32' },
  udp: { id: 6, type: 'u32' },
} as const satisfies AttributeTable;

/** IP_VS_STATE_MASTER and IP_VS_STATE_BACKUP */
const STATES = { master: 1, backup: 2 } as const satisfies Record<SyncRole, number>;

/** What kernels before Linux 4.3 use and do not tell (net/netfilter/ipvs/ip_vs_sync.c). */
const OLD_DAEMON = { group: new Uint8Array([224, 0, 0, 81]), port: 8848, ttl: 1 };

export type Timeouts = Readonly<Record<'tcp' | 'tcpfin' | 'udp', number>>;

/** Makes the requests to one kernel, for which the controller told `familyId` as the message type. */
export class SettingsRequests {
  readonly #familyId: number;

  constructor(familyId: number) {
    this.#familyId = familyId;
  }

  timeouts(): NetlinkRequest {
    return this.#command(COMMAND.getConfig, {});
  }

  /** Dump of the daemons that run. */
  daemons(): NetlinkRequest {
    return this.#command(COMMAND.getDaemon, {});
  }

  /** Seconds; what is absent stays. */
  setTimeouts(timeouts: Partial<Timeouts>): NetlinkRequest {
    return this.#command(COMMAND.setConfig, timeouts);
  }

  startDaemon(role: SyncRole, daemon: SyncDaemon): NetlinkRequest {
    const { group, maxlen } = daemon;
    const bytes = addressBytes(group);
    return this.#command(COMMAND.newDaemon, {
      daemon: {
        state: STATES[role],
        interface: daemon.interface,
        id: daemon.id,
        ...(maxlen === null ? {} : { maxlen }),
        ...(familyOf(group) === 'ipv4' ? { group: bytes } : { group6: bytes }),
        port: daemon.port,
        ttl: daemon.ttl,
      },
    });
  }

  stopDaemon(role: SyncRole): NetlinkRequest {
    return this.#command(COMMAND.deleteDaemon, { daemon: { state: STATES[role] } });
  }

  #command(number: number, values: AttributeValues<typeof SETTINGS>): NetlinkRequest {
    return {
      type: this.#familyId,
      writePayload: (writer) => {
        writeGenericHeader(writer, number, IPVS_VERSION);
        writeTable(writer, SETTINGS, values);
      },
    };
  }
}

/** @throws DecodeError */
export function readTimeouts(payload: ByteReader): Timeouts {
  payload.skip(GENL_HEADER_LENGTH);
  const { tcp, tcpfin, udp } = readTable(payload, SETTINGS);
  return {
    tcp: required(tcp, 'the TCP timeout', payload),
    tcpfin: required(tcpfin, 'the TCP FIN timeout', payload),
    udp: required(udp, 'the UDP timeout', payload),
  };
}

/**
 * @returns null for a role that is not known
 * @throws DecodeError
 */
export function readDaemon(payload: ByteReader): (KernelSetting & { readonly kind: 'sync' }) | null {
  payload.skip(GENL_HEADER_LENGTH);
  const found = required(readTable(payload, SETTINGS).daemon, 'the daemon', payload);
  const role = nameIn(STATES, required(found.state, 'the role', payload));
  if (role === undefined) return null;
  const daemon: SyncDaemon = {
    interface: required(found.interface, 'the interface', payload),
    id: required(found.id, 'the sync id', payload),
    group: addressFromBytes(found.group6 ?? found.group ?? OLD_DAEMON.group),
    port: found.port ?? OLD_DAEMON.port,
    ttl: found.ttl ?? OLD_DAEMON.ttl,
    maxlen: found.maxlen ?? null,
  };
  return { kind: 'sync', role, daemon };
}
