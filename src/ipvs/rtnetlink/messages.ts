import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { addressBytes, addressFromBytes, familyOf } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import { FAMILIES, HOST_PREFIX } from '../attributes.ts';
import { readTable, required, writeTable } from '../netlink/attribute-table.ts';
import { AF_INET, AF_INET6, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/constants.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import {
  ADDRESS,
  IFA_F_NODAD,
  LINK,
  RT_SCOPE_UNIVERSE,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
} from './constants.ts';

/*
 * struct ifaddrmsg (include/uapi/linux/if_addr.h): u8 family, u8 prefixlen, u8 flags, u8 scope, u32 index; then IFA_*.
 * struct ifinfomsg (include/uapi/linux/rtnetlink.h): u8 family, u8 padding, u16 type, i32 index, u32 flags, u32 change;
 * then IFLA_*.
 */

/** Adds or deletes a host address (/32 or /128). */
export function addressRequest(kind: 'add' | 'delete', index: number, address: IpAddress): NetlinkRequest {
  const family = familyOf(address);
  const bytes = addressBytes(address);
  return {
    type: kind === 'add' ? RTM_NEWADDR : RTM_DELADDR,
    flags: kind === 'add' ? NLM_F_CREATE | NLM_F_EXCL : 0,
    writePayload: (writer) => {
      // A VIP that fails duplicate address detection, because another director has it too, would be unusable.
      const flags = kind === 'add' && family === 'ipv6' ? IFA_F_NODAD : 0;
      writeAddressHeader(writer, FAMILIES[family], HOST_PREFIX[family], flags, index);
      writeTable(writer, ADDRESS, { local: bytes, address: bytes });
    },
  };
}

/** Dump of the addresses of both families. Strict checking wants every other field zero. */
export const addressesRequest: NetlinkRequest = {
  type: RTM_GETADDR,
  writePayload: (writer) => {
    writeAddressHeader(writer, 0, 0, 0, 0);
  },
};

function writeAddressHeader(
  writer: ByteWriter,
  family: number,
  prefixLength: number,
  flags: number,
  index: number,
): void {
  writer.u8(family).u8(prefixLength).u8(flags).u8(RT_SCOPE_UNIVERSE).u32le(index);
}

export interface IndexedAddress {
  readonly index: number;
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/**
 * @returns null for an address that is not IPv4 or IPv6
 * @throws DecodeError
 */
export function readAddress(payload: ByteReader): IndexedAddress | null {
  const family = payload.u8();
  const prefixLength = payload.u8();
  payload.skip(2);
  const index = payload.u32le();
  const { local, address } = readTable(payload, ADDRESS);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const bytes = required(local ?? address, 'the address', payload);
  if (bytes.length !== (family === AF_INET ? 4 : 16)) return null;
  return { index, prefixLength, address: addressFromBytes(bytes) };
}

/** Dump of the network interfaces. */
export const linksRequest: NetlinkRequest = {
  type: RTM_GETLINK,
  writePayload: (writer) => {
    writer.u8(0).u8(0).u16le(0).i32le(0).u32le(0).u32le(0);
  },
};

export interface Link {
  readonly index: number;
  readonly name: string;
}

/** @throws DecodeError */
export function readLink(payload: ByteReader): Link {
  payload.skip(4);
  const index = payload.i32le();
  payload.skip(8);
  return { index, name: required(readTable(payload, LINK).name, 'the interface name', payload) };
}
