import { ByteWriter } from '../../core/bytes.ts';
import { addressBytes, canonicalAddress } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import { ETH_P_IPV6, writeEthernetHeader } from './ethernet.ts';
import type { EthernetFrame } from './ethernet.ts';
import { internetChecksum } from './internet-checksum.ts';

/** All nodes of the link (RFC 4291 section 2.7.1), and the Ethernet group for it (RFC 2464 section 7). */
const ALL_NODES = addressBytes(canonicalAddress('ff02::1'));
const ALL_NODES_GROUP = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);

const IPV6_VERSION = 6 << 28;
const NEXT_HEADER_ICMPV6 = 58;
/** RFC 4861 section 7.1.2: any less has come through a router, and is ignored. */
const HOP_LIMIT = 255;
/** RFC 4861 section 4.4. */
const NEIGHBOR_ADVERTISEMENT = 136;
/**
 * RFC 4861 section 4.4: replace the entry that there is. The solicited flag is clear, as nobody asked; so is the router
 * flag, as no host takes a VIP for its default router (section 4.2: routers advertise link-local addresses).
 */
const OVERRIDE = 1 << 29;
/** RFC 4861 section 4.6.1; the length counts eight bytes each. */
const TARGET_LINK_LAYER_ADDRESS = 2;
const OPTION_LENGTH = 1;

const ADVERTISEMENT_BYTES = 32;
const CHECKSUM_OFFSET = 2;

/*
 * RFC 8200 section 3: u4 version, u8 class, u20 flow label, u16 payload length, u8 next header, u8 hop limit, source,
 * destination. RFC 4861 section 4.4: u8 type, u8 code, u16 checksum, u32 flags, target; then options.
 */

/**
 * An unsolicited Neighbor Advertisement (RFC 4861 section 7.2.6) to all nodes of the link: whoever has an entry for the
 * address takes the new one.
 * @param source the interface's hardware address, six bytes
 * @param address IPv6
 */
export function unsolicitedAdvertisement(source: Uint8Array, address: IpAddress): EthernetFrame {
  const own = addressBytes(address);
  const writer = new ByteWriter(86);
  writeEthernetHeader(writer, ALL_NODES_GROUP, source, ETH_P_IPV6);
  writer.u32be(IPV6_VERSION).u16be(ADVERTISEMENT_BYTES).u8(NEXT_HEADER_ICMPV6).u8(HOP_LIMIT);
  writer.bytes(own).bytes(ALL_NODES).bytes(advertisement(source, own));
  return { protocol: ETH_P_IPV6, bytes: writer.finish() };
}

function advertisement(source: Uint8Array, target: Uint8Array): Uint8Array {
  const writer = new ByteWriter(ADVERTISEMENT_BYTES);
  writer.u8(NEIGHBOR_ADVERTISEMENT).u8(0).u16be(0).u32be(OVERRIDE).bytes(target);
  writer.u8(TARGET_LINK_LAYER_ADDRESS).u8(OPTION_LENGTH).bytes(source);
  writer.patchU16be(CHECKSUM_OFFSET, icmpChecksum(target, writer.finish()));
  return writer.finish();
}

/** With the pseudo-header of RFC 8200 section 8.1: source, destination, u32 length, three zeros, u8 next header. */
function icmpChecksum(source: Uint8Array, message: Uint8Array): number {
  const writer = new ByteWriter(40 + message.length);
  writer.bytes(source).bytes(ALL_NODES).u32be(message.length).zeros(3).u8(NEXT_HEADER_ICMPV6);
  return internetChecksum(writer.bytes(message).finish());
}
