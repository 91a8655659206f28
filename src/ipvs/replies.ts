import { DecodeError } from '../core/bytes.ts';
import type { ByteReader } from '../core/bytes.ts';
import { addressFromBytes } from '../model/address.ts';
import type { Family, IpAddress } from '../model/address.ts';
import * as wire from './attributes.ts';
import type { DestinationAttributes, ServiceAttributes } from './attributes.ts';
import type {
  DataplaneInfo,
  Forwarding,
  KernelDestination,
  KernelService,
  ServiceMatch,
  TunnelChecksum,
} from './dataplane.ts';
import { readTable, required } from './netlink/attribute-table.ts';
import { GENL_HEADER_LENGTH } from './netlink/family.ts';

/*
 * From the kernel's dumps to the port's words: one message is one service (IPVS_CMD_NEW_SERVICE) or one destination
 * (IPVS_CMD_NEW_DEST). What was counted is not looked into here: see EntryLayout.
 */

/**
 * @returns null for a service that this port has no words for, such as one of another IP protocol: it is not ours
 * @throws DecodeError
 */
export function readService(payload: ByteReader): KernelService | null {
  payload.skip(GENL_HEADER_LENGTH);
  const service = required(readTable(payload, wire.COMMAND).service, 'the service', payload);
  const family = familyFrom(required(service.family, 'the address family', payload), payload);
  const { flags } = required(service.flags, 'the flags', payload);
  const match = matchFrom(service, family, payload);
  if (match === null) return null;
  const persistent = (flags & wire.SVC_F_PERSISTENT) !== 0;
  return {
    match,
    scheduler: service.scheduler ?? 'none',
    schedulerFlags: (flags & wire.SVC_F_SCHED_MASK) >> wire.SVC_F_SCHED_SHIFT,
    onePacket: (flags & wire.SVC_F_ONEPACKET) !== 0,
    persistence: persistent
      ? { timeoutSeconds: service.timeout ?? 0, prefixLength: prefixFrom(family, service.netmask, payload) }
      : null,
    persistenceEngine: service.persistenceEngine ?? null,
  };
}

/**
 * @returns null for a destination whose way of forwarding this port has no words for
 * @throws DecodeError
 */
export function readDestination(payload: ByteReader, serviceFamily: Family): KernelDestination | null {
  payload.skip(GENL_HEADER_LENGTH);
  const found = required(readTable(payload, wire.COMMAND).destination, 'the destination', payload);
  // Kernels before 3.18 know only reals of the service's own family and do not name it.
  const family = found.family === undefined ? serviceFamily : familyFrom(found.family, payload);
  const forwarding = forwardingFrom(found, payload);
  if (forwarding === null) return null;
  return {
    address: addressFrom(found.address, family, payload),
    port: required(found.port, 'the port', payload),
    weight: required(found.weight, 'the weight', payload),
    forwarding,
    upperThreshold: found.upperThreshold ?? 0,
    lowerThreshold: found.lowerThreshold ?? 0,
  };
}

/**
 * The answer to IPVS_CMD_GET_INFO.
 * @throws DecodeError
 */
export function readInfo(payload: ByteReader): DataplaneInfo {
  payload.skip(GENL_HEADER_LENGTH);
  const { version, connectionTableSize } = readTable(payload, wire.INFO);
  return {
    version: version === undefined ? null : versionText(version),
    connectionTableSize: connectionTableSize ?? null,
  };
}

/** IP_VS_VERSION_CODE has a byte for each part. */
function versionText(code: number): string {
  return `${(code >> 16) & 0xff}.${(code >> 8) & 0xff}.${code & 0xff}`;
}

function matchFrom(service: ServiceAttributes, family: Family, payload: ByteReader): ServiceMatch | null {
  if (service.fwmark !== undefined) return { kind: 'fwmark', family, fwmark: service.fwmark };
  const number = required(service.protocol, 'the protocol', payload);
  const protocol = wire.nameIn(wire.PROTOCOLS, number);
  if (protocol === undefined) return null;
  const address = addressFrom(service.address, family, payload);
  return { kind: 'address', family, protocol, address, port: required(service.port, 'the port', payload) };
}

function forwardingFrom(found: DestinationAttributes, payload: ByteReader): Forwarding | null {
  const number = required(found.forwarding, 'the forwarding method', payload) & wire.CONN_F_FWD_MASK;
  const method = wire.nameIn(wire.METHODS, number);
  if (method === undefined) return null;
  if (method !== 'tunnel') return { method };
  const type = wire.nameIn(wire.TUNNEL_TYPES, found.tunnelType ?? 0);
  if (type === undefined) return null;
  return { method, type, port: found.tunnelPort ?? 0, checksum: checksumFrom(found.tunnelFlags ?? 0) };
}

function checksumFrom(flags: number): TunnelChecksum {
  if ((flags & wire.TUNNEL_CHECKSUMS.remote) !== 0) return 'remote';
  return (flags & wire.TUNNEL_CHECKSUMS.full) === 0 ? 'none' : 'full';
}

function familyFrom(number: number, payload: ByteReader): Family {
  const family = wire.nameIn(wire.FAMILIES, number);
  if (family === undefined) throw new DecodeError(`address family ${number}`, payload.offset);
  return family;
}

function addressFrom(bytes: Uint8Array | undefined, family: Family, payload: ByteReader): IpAddress {
  const whole = required(bytes, 'the address', payload);
  const length = family === 'ipv4' ? 4 : 16;
  if (whole.length < length) throw new DecodeError(`an ${family} address of ${whole.length} bytes`, payload.offset);
  return addressFromBytes(whole.subarray(0, length));
}

function prefixFrom(family: Family, netmask: Uint8Array | undefined, payload: ByteReader): number {
  const bytes = required(netmask, 'the netmask', payload);
  if (bytes.length !== 4) throw new DecodeError(`a netmask of ${bytes.length} bytes`, payload.offset);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A mask with holes, which only others set, counts up to its first hole.
  return family === 'ipv6' ? view.getUint32(0, true) : Math.clz32(~view.getUint32(0, false));
}
