import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import type { CodedError } from '../../core/errors.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { addressBytes, addressFromBytes, familyOf } from '../../model/address.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import { FAMILIES, HOST_PREFIX } from '../attributes.ts';
import { readTable, required, writeTable } from '../netlink/attribute-table.ts';
import type { NetlinkClient } from '../netlink/client.ts';
import { AF_INET, AF_INET6, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/constants.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import {
  ADDRESS,
  ADDRESS_PROTOCOL,
  IFA_F_NODAD,
  LABEL_BYTES,
  LABEL_SUFFIX,
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

/** Adds a host address (/32 or /128) with our marks, or deletes one whatever its marks. */
export function addressRequest(kind: 'add' | 'delete', link: LinkName, address: IpAddress): NetlinkRequest {
  const family = familyOf(address);
  const bytes = addressBytes(address);
  return {
    type: kind === 'add' ? RTM_NEWADDR : RTM_DELADDR,
    flags: kind === 'add' ? NLM_F_CREATE | NLM_F_EXCL : 0,
    writePayload: (writer) => {
      // A VIP that fails duplicate address detection, because another director has it too, would be unusable.
      const flags = kind === 'add' && family === 'ipv6' ? IFA_F_NODAD : 0;
      writeAddressHeader(writer, FAMILIES[family], HOST_PREFIX[family], flags, link.index);
      writeTable(writer, ADDRESS, {
        local: bytes,
        address: bytes,
        ...(kind === 'add' ? marks(link.name, family) : {}),
      });
    },
  };
}

function marks(interfaceName: string, family: Family): { readonly label?: string; readonly protocol: number } {
  const label = `${interfaceName}${LABEL_SUFFIX}`;
  const fits = family === 'ipv4' && label.length < LABEL_BYTES;
  return { ...(fits ? { label } : {}), protocol: ADDRESS_PROTOCOL };
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
  /** It has one of our marks. */
  readonly marked: boolean;
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
  const { local, address, label, protocol } = readTable(payload, ADDRESS);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const bytes = required(local ?? address, 'the address', payload);
  if (bytes.length !== (family === AF_INET ? 4 : 16)) return null;
  const marked = protocol === ADDRESS_PROTOCOL || label?.endsWith(LABEL_SUFFIX) === true;
  return { index, prefixLength, address: addressFromBytes(bytes), marked };
}

/** Dump of the network interfaces. */
const linksRequest: NetlinkRequest = {
  type: RTM_GETLINK,
  writePayload: (writer) => {
    writer.u8(0).u8(0).u16le(0).i32le(0).u32le(0).u32le(0);
  },
};

export interface LinkName {
  readonly index: number;
  readonly name: string;
}

export interface Link extends LinkName {
  /** ARPHRD_* */
  readonly type: number;
  /** IFF_*, a bit each. */
  readonly flags: number;
  /** Empty where the kind of link has none. */
  readonly hardwareAddress: Uint8Array;
}

/** @throws DecodeError */
export function readLink(payload: ByteReader): Link {
  payload.skip(2);
  const type = payload.u16le();
  const index = payload.i32le();
  const flags = payload.u32le();
  payload.skip(4);
  const { name, address } = readTable(payload, LINK);
  const hardwareAddress = address ?? new Uint8Array();
  return { index, name: required(name, 'the interface name', payload), type, flags, hardwareAddress };
}

/** The network interfaces by name. */
export async function readLinks(client: NetlinkClient): Promise<Result<ReadonlyMap<string, Link>, CodedError>> {
  const links = await client.dump(linksRequest, ({ payload }) => readLink(payload));
  return links.ok ? ok(new Map(links.value.map((link) => [link.name, link]))) : links;
}
