import { ByteWriter } from '../core/bytes.ts';
import { assertNever } from '../core/result.ts';
import { addressBytes, familyOf } from '../model/address.ts';
import type { Family, IpAddress } from '../model/address.ts';
import * as wire from './attributes.ts';
import type { DestinationAttributes, ServiceAttributes } from './attributes.ts';
import type { DataplaneOp, KernelDestination, KernelService, ServiceMatch } from './dataplane.ts';
import { writeTable } from './netlink/attribute-table.ts';
import { writeGenericHeader } from './netlink/family.ts';
import type { NetlinkRequest } from './netlink/message.ts';

/*
 * From the port's words to messages of the generic netlink family IPVS:
 *
 *   nlmsghdr | genlmsghdr | IPVS_CMD_ATTR_SERVICE { … } | IPVS_CMD_ATTR_DEST { … }
 *
 * A command on a destination names its service by the identifying attributes only. Adding or editing a service wants
 * scheduler, flags, timeout and netmask as well (ip_vs_genl_parse_service).
 */

/** sizeof(union nf_inet_addr) */
const UNION_BYTES = 16;
const COMMANDS = {
  addService: wire.IPVS_CMD.newService,
  editService: wire.IPVS_CMD.setService,
  deleteService: wire.IPVS_CMD.deleteService,
  addDestination: wire.IPVS_CMD.newDestination,
  editDestination: wire.IPVS_CMD.setDestination,
  deleteDestination: wire.IPVS_CMD.deleteDestination,
} as const satisfies Record<DataplaneOp['kind'], number>;
/** Bits we own in the service's flags; the kernel keeps IP_VS_SVC_F_HASHED for itself. */
const FLAG_MASK = wire.SVC_F_PERSISTENT | wire.SVC_F_ONEPACKET | wire.SVC_F_SCHED_MASK;

/** Makes the requests to one kernel, for which the controller told `familyId` as the message type. */
export class IpvsRequests {
  readonly #familyId: number;
  /** Services as bytes: each is named again by every operation on it, and in every reading. */
  readonly #identities = new WeakMap<ServiceMatch, Uint8Array>();

  constructor(familyId: number) {
    this.#familyId = familyId;
  }

  /** Dump of every service in this network namespace. */
  services(): NetlinkRequest {
    return this.#command(wire.IPVS_CMD.getService, () => undefined);
  }

  /** One service. */
  service(match: ServiceMatch): NetlinkRequest {
    return this.#command(wire.IPVS_CMD.getService, (writer) => {
      this.#writeIdentity(writer, match);
    });
  }

  info(): NetlinkRequest {
    return this.#command(wire.IPVS_CMD.getInfo, () => undefined);
  }

  /** Dump of one service's destinations. */
  destinationsOf(match: ServiceMatch): NetlinkRequest {
    return this.#command(wire.IPVS_CMD.getDestination, (writer) => {
      this.#writeIdentity(writer, match);
    });
  }

  carryOut(op: DataplaneOp): NetlinkRequest {
    return this.#command(COMMANDS[op.kind], (writer) => {
      switch (op.kind) {
        case 'addService':
        case 'editService':
          writeTable(writer, wire.COMMAND, { service: wholeService(op.service) });
          break;
        case 'deleteService':
          this.#writeIdentity(writer, op.match);
          break;
        case 'addDestination':
        case 'editDestination':
          this.#writeIdentity(writer, op.match);
          writeTable(writer, wire.COMMAND, { destination: wholeDestination(op.destination) });
          break;
        case 'deleteDestination':
          this.#writeIdentity(writer, op.match);
          writeTable(writer, wire.COMMAND, { destination: destinationIdentity(op) });
          break;
        default:
          assertNever(op);
      }
    });
  }

  #command(number: number, writeAttributes: (writer: ByteWriter) => void): NetlinkRequest {
    return {
      type: this.#familyId,
      writePayload: (writer) => {
        writeGenericHeader(writer, number, wire.IPVS_VERSION);
        writeAttributes(writer);
      },
    };
  }

  #writeIdentity(writer: ByteWriter, match: ServiceMatch): void {
    let bytes = this.#identities.get(match);
    if (bytes === undefined) {
      const own = new ByteWriter(64);
      writeTable(own, wire.COMMAND, { service: identity(match) });
      bytes = own.finish();
      this.#identities.set(match, bytes);
    }
    writer.bytes(bytes);
  }
}

function identity(match: ServiceMatch): ServiceAttributes {
  const family = wire.FAMILIES[match.family];
  if (match.kind === 'fwmark') return { family, fwmark: match.fwmark };
  return {
    family,
    protocol: wire.PROTOCOLS[match.protocol],
    address: unionAddress(match.address),
    port: match.port,
  };
}

function wholeService(service: KernelService): ServiceAttributes {
  const { match, persistence, persistenceEngine } = service;
  const flags =
    (persistence === null ? 0 : wire.SVC_F_PERSISTENT) |
    (service.onePacket ? wire.SVC_F_ONEPACKET : 0) |
    (service.schedulerFlags << wire.SVC_F_SCHED_SHIFT);
  return {
    ...identity(match),
    scheduler: service.scheduler,
    flags: { flags, mask: FLAG_MASK },
    timeout: persistence?.timeoutSeconds ?? 0,
    netmask: netmaskBytes(match.family, persistence?.prefixLength ?? wire.HOST_PREFIX[match.family]),
    ...(persistenceEngine === null ? {} : { persistenceEngine }),
  };
}

function destinationIdentity({ address, port }: Pick<KernelDestination, 'address' | 'port'>): DestinationAttributes {
  return { address: unionAddress(address), port, family: wire.FAMILIES[familyOf(address)] };
}

/** Written out rather than put together from parts: a plan is mostly made of these. */
function wholeDestination(destination: KernelDestination): DestinationAttributes {
  const { address, port, forwarding, weight, upperThreshold, lowerThreshold } = destination;
  const method = wire.METHODS[forwarding.method];
  const family = wire.FAMILIES[familyOf(address)];
  const bytes = unionAddress(address);
  if (forwarding.method !== 'tunnel') {
    return { address: bytes, port, forwarding: method, weight, upperThreshold, lowerThreshold, family };
  }
  return {
    address: bytes,
    port,
    forwarding: method,
    weight,
    upperThreshold,
    lowerThreshold,
    family,
    tunnelType: wire.TUNNEL_TYPES[forwarding.type],
    tunnelPort: forwarding.port,
    tunnelFlags: wire.TUNNEL_CHECKSUMS[forwarding.checksum],
  };
}

/** union nf_inet_addr: 16 bytes for either family. */
function unionAddress(address: IpAddress): Uint8Array {
  return addressBytes(address, UNION_BYTES);
}

function netmaskBytes(family: Family, prefixLength: number): Uint8Array {
  const bytes = new Uint8Array(4);
  const view = new DataView(bytes.buffer);
  if (family === 'ipv6') view.setUint32(0, prefixLength, true);
  else view.setUint32(0, prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0, false);
  return bytes;
}
