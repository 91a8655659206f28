import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { addressBytes, addressFromBytes, familyOf } from '../../model/address.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import { FAMILIES, nameIn, PROTOCOLS } from '../attributes.ts';
import { readTable, writeTable } from '../netlink/attribute-table.ts';
import type { AttributeValues } from '../netlink/attribute-table.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import * as wire from './constants.ts';
import type { Endpoint, FlowTarget, TrackedFlow } from './flows.ts';
import type { Protocol } from '../dataplane.ts';

/*
 * struct nfgenmsg (include/uapi/linux/netfilter/nfnetlink.h): u8 nfgen_family, u8 version, u16 res_id; then CTA_*.
 * A flow has two tuples: how the client's packets look, and how the replies look, before anything is translated back.
 */
const AF_UNSPEC = 0;
const HEADER_LENGTH = 4;

type Tuple = AttributeValues<typeof wire.TUPLE>;

/** A flow as a dump tells it, with what names its entry to the kernel. */
export interface DumpedFlow extends TrackedFlow {
  readonly original: Tuple;
  readonly id: Uint8Array | undefined;
  readonly zone: number | undefined;
}

/** Dump of every tracked flow of both families. */
export const flowsRequest: NetlinkRequest = {
  type: wire.CT_GET,
  writePayload: (writer) => {
    writeHeader(writer, AF_UNSPEC);
  },
};

/** Dump of the flows to one target. A kernel that cannot filter sends all of its family. */
export function flowsToRequest({ protocol, service, real }: FlowTarget): NetlinkRequest {
  const one = service ?? real;
  const original = service === null ? null : tupleTo(service, protocol);
  const reply = real === null ? null : tupleFrom(real, protocol);
  return {
    type: wire.CT_GET,
    writePayload: (writer) => {
      writeHeader(writer, one === null ? AF_UNSPEC : FAMILIES[familyOf(one.address)]);
      if (one === null) return;
      writeTable(writer, wire.FLOW, {
        ...(original === null ? {} : { original: original.tuple }),
        ...(reply === null ? {} : { reply: reply.tuple }),
        filter: { originalFlags: original?.flags ?? 0, replyFlags: reply?.flags ?? 0 },
      });
    },
  };
}

interface TupleFilter {
  readonly tuple: Tuple;
  /** FILTER_*: the parts of the tuple that count. */
  readonly flags: number;
}

function tupleTo({ address, port }: Endpoint, protocol: Protocol): TupleFilter {
  return {
    tuple: {
      ...(isFiltered(address) ? { ip: { ipv4Destination: addressBytes(address) } } : {}),
      protocol: { number: PROTOCOLS[protocol], destinationPort: port },
    },
    flags:
      wire.FILTER_PROTOCOL |
      (isFiltered(address) ? wire.FILTER_IP_DESTINATION : 0) |
      (port === 0 ? 0 : wire.FILTER_DESTINATION_PORT),
  };
}

function tupleFrom({ address, port }: Endpoint, protocol: Protocol): TupleFilter {
  return {
    tuple: {
      ...(isFiltered(address) ? { ip: { ipv4Source: addressBytes(address) } } : {}),
      protocol: { number: PROTOCOLS[protocol], sourcePort: port },
    },
    flags:
      wire.FILTER_PROTOCOL |
      (isFiltered(address) ? wire.FILTER_IP_SOURCE : 0) |
      (port === 0 ? 0 : wire.FILTER_SOURCE_PORT),
  };
}

/**
 * The kernel's filter leaves out exactly the IPv6 address that was asked for (seen in Linux 6.1 and 6.18:
 * ctnetlink_filter_match_tuple), so IPv6 is only filtered by protocol and port there, and by address here.
 */
function isFiltered(address: IpAddress): boolean {
  return familyOf(address) === 'ipv4';
}

/**
 * Deletes one entry, and no later one of the same addresses, which would have another id. Without a tuple this message
 * would empty the whole table (ctnetlink_del_conntrack); a DumpedFlow always has one.
 */
export function forgetRequest(flow: DumpedFlow): NetlinkRequest {
  return {
    type: wire.CT_DELETE,
    writePayload: (writer) => {
      writeHeader(writer, FAMILIES[flow.family]);
      writeTable(writer, wire.FLOW, {
        original: flow.original,
        ...(flow.id === undefined ? {} : { id: flow.id }),
        ...(flow.zone === undefined ? {} : { zone: flow.zone }),
      });
    },
  };
}

/**
 * @returns null for what nobody translates to a real: other protocols, and flows whose replies come from where the
 *   client called
 * @throws DecodeError
 */
export function readFlow(payload: ByteReader): DumpedFlow | null {
  const number = payload.u8();
  payload.skip(HEADER_LENGTH - 1);
  const { original, reply, state, id, zone } = readTable(payload, wire.FLOW);
  const family = nameIn(FAMILIES, number);
  const protocol = nameIn(PROTOCOLS, original?.protocol?.number ?? 0);
  if (family === undefined || protocol === undefined || original === undefined || reply === undefined) return null;
  const client = sourceOf(original, family);
  const service = destinationOf(original, family);
  const real = sourceOf(reply, family);
  if (client === null || service === null || real === null) return null;
  if (real.address === service.address && real.port === service.port) return null;
  const { tcp, sctp } = wire.ESTABLISHED;
  const established = state?.tcp?.state === tcp || state?.sctp?.state === sctp;
  return { family, protocol, client, service, real, established, original, id, zone };
}

function sourceOf({ ip, protocol }: Tuple, family: Family): Endpoint | null {
  return endpoint(family === 'ipv4' ? ip?.ipv4Source : ip?.ipv6Source, protocol?.sourcePort, family);
}

function destinationOf({ ip, protocol }: Tuple, family: Family): Endpoint | null {
  return endpoint(family === 'ipv4' ? ip?.ipv4Destination : ip?.ipv6Destination, protocol?.destinationPort, family);
}

function endpoint(bytes: Uint8Array | undefined, port: number | undefined, family: Family): Endpoint | null {
  if (bytes?.length !== (family === 'ipv4' ? 4 : 16) || port === undefined) return null;
  return { address: addressFromBytes(bytes), port };
}

function writeHeader(writer: ByteWriter, family: number): void {
  writer.u8(family).u8(0).u16be(0);
}
